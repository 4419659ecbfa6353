// SPDX-License-Identifier: MIT
#include <cstring>
#include <vector>

#include "memory_fixture.hpp"

namespace exo {
namespace {

class FramesTest : public test::MemoryTest {};

TEST_F(FramesTest, BlocksAreUsableMemory) {
    const hal::PhysAddr block = *frames_allocate(4);
    std::memset(hal::phys_to_virt(block), 0x77, page_bytes << 4);
    EXPECT_EQ(frame_stats().free_frames, initial_.free_frames - 16);
    frames_free(block, 4);
}

TEST_F(FramesTest, AllMemoryIsHandedOutAndTakenBack) {
    std::vector<hal::PhysAddr> frames;
    for (;;) {
        const auto frame = frames_allocate(0);
        if (!frame) break;
        std::memset(hal::phys_to_virt(*frame), 0xff, page_bytes);  // the bitmaps must not be among it
        frames.push_back(*frame);
    }
    EXPECT_EQ(frames.size(), initial_.free_frames);
    EXPECT_EQ(frame_stats().free_frames, 0u);
    for (const hal::PhysAddr frame : frames) frames_free(frame, 0);
}

TEST_F(FramesTest, TableFramesAreZeroed) {
    const hal::PhysAddr dirty = *frames_allocate(0);
    std::memset(hal::phys_to_virt(dirty), 0xff, page_bytes);
    frames_free(dirty, 0);
    hal::TableFrames& tables = table_frames();
    const hal::PhysAddr frame = tables.allocate(tables.self);
    EXPECT_EQ(frame, dirty) << "the lowest free frame comes first";
    for (std::size_t i = 0; i < page_bytes; ++i) ASSERT_EQ(hal::phys_to_virt(frame)[i], std::byte{0});
    tables.release(tables.self, frame);
}

TEST_F(FramesTest, TheChosenAllocationFailsOnce) {
    frames_fail_nth(2);
    const auto first = frames_allocate(0);
    const auto second = frames_allocate(0);
    const auto third = frames_allocate(0);
    ASSERT_TRUE(first && third);
    EXPECT_EQ(second.error(), Error::no_memory);
    frames_fail_nth(1);
    EXPECT_EQ(table_frames().allocate(table_frames().self), hal::no_frame);
    frames_free(*first, 0);
    frames_free(*third, 0);
}

TEST_F(FramesTest, DoubleFreeAsserts) {
    const hal::PhysAddr frame = *frames_allocate(0);
    frames_free(frame, 0);
    EXPECT_DEATH(frames_free(frame, 0), "heads\\[order\\]");
}

}  // namespace
}  // namespace exo
