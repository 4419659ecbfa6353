// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cstring>
#include <mem/vm_object.hpp>
#include <set>
#include <vector>

#include "memory_fixture.hpp"

namespace exo {
namespace {

class VmObjectTest : public test::MemoryTest {
  protected:
    Quota quota_{4000};
};

// So that zeroing is seen.
void dirty_everything() {
    std::vector<hal::PhysAddr> frames;
    for (;;) {
        const auto frame = frames_allocate(0);
        if (!frame) break;
        std::memset(hal::phys_to_virt(*frame), 0xee, page_bytes);
        frames.push_back(*frame);
    }
    for (const hal::PhysAddr frame : frames) frames_free(frame, 0);
}

void expect_zero_pages_of_its_own(const VmObject& object) {
    std::set<hal::PhysAddr> seen;
    for (std::uint64_t i = 0; i < object.pages(); ++i) {
        ASSERT_TRUE(object.page(i).page_aligned());
        ASSERT_TRUE(seen.insert(object.page(i)).second);
        const std::byte* bytes = object.data(i);
        ASSERT_TRUE(std::all_of(bytes, bytes + page_bytes, [](std::byte b) { return b == std::byte{0}; }));
    }
}

TEST_F(VmObjectTest, PagesAreZeroedAndDistinct) {
    dirty_everything();
    for (const std::uint64_t pages : {1, 2, 3, 5, 64, 700, 1024}) {
        const Ref<VmObject> block = *VmObject::make_contiguous(pages, quota_);
        EXPECT_TRUE(block->contiguous());
        for (std::uint64_t i = 0; i < pages; ++i) ASSERT_EQ(block->page(i), block->page(0) + i * page_bytes);
        const Ref<VmObject> paged = *VmObject::make_paged(pages, quota_);
        EXPECT_FALSE(paged->contiguous());
        expect_zero_pages_of_its_own(*block);
        expect_zero_pages_of_its_own(*paged);
        EXPECT_EQ(quota_.used_pages, std::bit_ceil(pages) + pages);
    }
    EXPECT_EQ(quota_.used_pages, 0u);
}

TEST_F(VmObjectTest, TheLastReferenceFreesIt) {
    Ref<VmObject> first = *VmObject::make_paged(10, quota_);
    Ref<VmObject> second = first;
    EXPECT_EQ(first->references(), 2u);
    first.reset();
    EXPECT_EQ(quota_.used_pages, 10u);
    second.reset();
    EXPECT_EQ(quota_.used_pages, 0u);
}

TEST_F(VmObjectTest, TheQuotaIsTheLimit) {
    Quota small{8};
    EXPECT_EQ(VmObject::make_contiguous(9, small).error(), Error::no_memory);
    EXPECT_EQ(VmObject::make_paged(9, small).error(), Error::no_memory);
    {
        const Ref<VmObject> five = *VmObject::make_paged(5, small);
        EXPECT_EQ(VmObject::make_contiguous(3, small).error(), Error::no_memory) << "3 pages take a block of 4";
        const Ref<VmObject> three = *VmObject::make_paged(3, small);
        EXPECT_EQ(VmObject::make_paged(1, small).error(), Error::no_memory);
    }
    EXPECT_EQ(small.used_pages, 0u);
    Quota huge{~std::uint64_t{0}};
    ASSERT_TRUE(huge.charge(~std::uint64_t{0}));
    EXPECT_FALSE(huge.charge(1));
    EXPECT_TRUE(huge.charge(0));
    huge.release(~std::uint64_t{0});
}

TEST_F(VmObjectTest, AQuotaLivesAsLongAsWhatIsChargedToIt) {
    Ref<Quota> quota = *Quota::make(16);
    Ref<VmObject> object = *VmObject::make_paged(4, *quota);
    EXPECT_EQ(VmObject::make_paged(13, *quota).error(), Error::no_memory);
    EXPECT_EQ(quota->references.value(), 2u) << "a refused object keeps no reference";
    Quota& observed = *quota;
    quota.reset();
    EXPECT_EQ(observed.references.value(), 1u);
    EXPECT_EQ(observed.used_pages, 4u);
    object.reset();  // the quota goes with it: the fixture finds its slab returned
    slab_trim();
    frames_fail_nth(1);
    EXPECT_EQ(Quota::make(1).error(), Error::no_memory);
}

TEST_F(VmObjectTest, SizesOutOfRangeAreRefused) {
    Quota huge{~std::uint64_t{0}};
    for (const std::uint64_t pages : {std::uint64_t{0}, std::uint64_t{1025}, ~std::uint64_t{0}})
        EXPECT_EQ(VmObject::make_contiguous(pages, huge).error(), Error::bad_argument);
    for (const std::uint64_t pages : {std::uint64_t{0}, VmObject::paged_limit + 1, ~std::uint64_t{0}})
        EXPECT_EQ(VmObject::make_paged(pages, huge).error(), Error::bad_argument);
    EXPECT_EQ(VmObject::make_paged(VmObject::paged_limit, huge).error(), Error::no_memory);
    EXPECT_EQ(huge.used_pages, 0u);
}

TEST_F(VmObjectTest, EveryFailureLeavesNothingBehind) {
    const int contiguous = fail_at_each_step([&] {
        const auto object = VmObject::make_contiguous(5, quota_);
        if (object) return true;
        EXPECT_EQ(object.error(), Error::no_memory);
        EXPECT_EQ(quota_.used_pages, 0u);
        return false;
    });
    EXPECT_EQ(contiguous, 2) << "a slab for the object, the block";
    const int paged = fail_at_each_step([&] {
        const auto object = VmObject::make_paged(600, quota_);
        if (object) return true;
        EXPECT_EQ(quota_.used_pages, 0u);
        return false;
    });
    EXPECT_EQ(paged, 602) << "a slab for the object, the list, the frames";
}

TEST_F(VmObjectTest, APageBeyondTheEndAsserts) {
    const Ref<VmObject> object = *VmObject::make_contiguous(3, quota_);
    EXPECT_DEATH((void)object->page(3), "index < pages_") << "the block has 4, the object 3";
}

}  // namespace
}  // namespace exo
