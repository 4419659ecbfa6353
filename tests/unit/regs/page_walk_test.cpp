// SPDX-License-Identifier: MIT
// The walker and mapper against a plain map of what was entered, and against tables that a careless or hostile writer
// left behind.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <regs/page_walk.hpp>
#include <set>
#include <vector>

namespace {

using namespace regs;

// A small physical memory: frame n is at address n * 4096; frame 0 stays unused.
class Arena {
  public:
    explicit Arena(std::size_t frames) : frames_(frames) {
        for (std::size_t i = frames; i-- > 1;) free_.push_back(i * paging::page_4k);
    }
    std::uint64_t* table(std::uint64_t physical) {
        const std::size_t frame = physical / paging::page_4k;
        return frame < frames_.size() ? frames_[frame].data() : nullptr;
    }
    std::uint64_t allocate() {
        if (free_.empty()) return no_table_frame;
        const std::uint64_t frame = free_.back();
        free_.pop_back();
        frames_[frame / paging::page_4k].fill(0);
        return frame;
    }
    void release(std::uint64_t physical) {
        frames_[physical / paging::page_4k].fill(~0ull);  // whoever still walks it will stumble
        free_.push_back(physical);
    }
    std::size_t free() const { return free_.size(); }

  private:
    std::vector<std::array<std::uint64_t, paging::entries>> frames_;
    std::vector<std::uint64_t> free_;
};

TEST(PageWalk, AgreesWithAModelOverRandomOperations) {
    Arena arena(4096);
    const std::uint64_t root = arena.allocate();
    std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> model;  // page -> frame, bits
    std::mt19937_64 random(1);
    const auto page = [&] {  // few enough to meet again, spread over every level
        std::uint64_t va = 0;
        for (unsigned level = 1; level <= paging::levels; ++level)
            va |= (random() % 3 * (paging::entries / 2 - 1)) << (12 + 9 * (level - 1));
        return std::uint64_t(std::int64_t(va << 16) >> 16);
    };
    const std::array<std::uint64_t, 4> rights{0, pte::write, pte::user, pte::write | pte::user | pte::no_execute};
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t va = page(), pa = (random() & 0xf'ffff) << 12, bits = rights[random() % 4];
        const auto known = model.find(va);
        switch (random() % 4) {
            case 0:
                EXPECT_EQ(map_page(arena, arena, root, va, pa, bits),
                          known == model.end() ? MapEnd::ok : MapEnd::exists);
                model.try_emplace(va, pa, bits);
                break;
            case 1: {
                const std::uint64_t old = unmap_page(arena, root, va);
                EXPECT_EQ(old != 0, known != model.end());
                if (known != model.end()) {
                    EXPECT_EQ(old & pte::address_mask, known->second.first);
                    model.erase(known);
                }
                break;
            }
            case 2: {
                const std::uint64_t old = protect_page(arena, root, va, bits);
                EXPECT_EQ(old != 0, known != model.end());
                if (known != model.end()) known->second.second = bits;
                break;
            }
            default: {
                const WalkResult found = walk(arena, root, va + 0x123);
                ASSERT_EQ(found.mapped(), known != model.end());
                if (!found.mapped()) break;
                EXPECT_EQ(found.physical, known->second.first + 0x123);
                EXPECT_EQ(found.write, bool(known->second.second & pte::write));
                EXPECT_EQ(found.execute, !(known->second.second & pte::no_execute));
                EXPECT_EQ(found.user, (known->second.second & pte::user) && va < paging::user_end);
            }
        }
    }
    EXPECT_GT(model.size(), 10u);
}

TEST(PageWalk, LargePagesTranslateAndStopTheMapper) {
    Arena arena(64);
    const std::uint64_t root = arena.allocate(), va = paging::kernel_start;
    ASSERT_EQ(map_page(arena, arena, root, va, 2 * paging::page_1g, pte::write, 3), MapEnd::ok);
    ASSERT_EQ(map_page(arena, arena, root, va + paging::page_1g, 6 * paging::page_2m, 0, 2), MapEnd::ok);
    const WalkResult big = walk(arena, root, va + 0x1234'5678);
    EXPECT_EQ(big.physical, 2 * paging::page_1g + 0x1234'5678);
    EXPECT_EQ(big.page_bytes(), paging::page_1g);
    const WalkResult middle = walk(arena, root, va + paging::page_1g + 0x1f'ffff);
    EXPECT_EQ(middle.physical, 6 * paging::page_2m + 0x1f'ffff);
    EXPECT_EQ(middle.page_bytes(), paging::page_2m);
    EXPECT_EQ(map_page(arena, arena, root, va + 0x5000, 0, 0), MapEnd::exists);
    EXPECT_EQ(unmap_page(arena, root, va + 0x5000), 0u);
    EXPECT_EQ(protect_page(arena, root, va + 0x5000, pte::write), 0u);
    EXPECT_EQ(walk(arena, root, va + 0x5000).physical, 2 * paging::page_1g + 0x5000);
}

TEST(PageWalk, RightsAreThoseOfTheWholePath) {
    Arena arena(64);
    const std::uint64_t root = arena.allocate(), va = 0x40'0000;
    ASSERT_EQ(map_page(arena, arena, root, va, 0x9000, pte::write | pte::user), MapEnd::ok);
    std::uint64_t* upper = find_entry(arena, root, va, 3);
    ASSERT_NE(upper, nullptr);
    *upper &= ~pte::write;
    *upper |= pte::no_execute;
    const WalkResult found = walk(arena, root, va);
    EXPECT_TRUE(found.mapped() && found.user);
    EXPECT_FALSE(found.write || found.execute);
}

TEST(PageWalk, ProtectKeepsFrameAccessedAndDirty) {
    Arena arena(64);
    const std::uint64_t root = arena.allocate(), va = 0x7fff'0000'0000;
    ASSERT_EQ(map_page(arena, arena, root, va, 0x5000, pte::write), MapEnd::ok);
    *find_entry(arena, root, va) |= pte::accessed | pte::dirty;
    protect_page(arena, root, va, pte::no_execute);
    EXPECT_EQ(*find_entry(arena, root, va), 0x5000 | pte::present | pte::accessed | pte::dirty | pte::no_execute);
}

TEST(PageWalk, ReportsWhereItEnds) {
    Arena arena(64);
    const std::uint64_t root = arena.allocate();
    EXPECT_EQ(walk(arena, root, 0x8000'0000'0000).end, WalkEnd::not_canonical);
    EXPECT_EQ(walk(arena, root, 0x1000).end, WalkEnd::not_present);
    EXPECT_EQ(walk(arena, root, 0x1000).level, 4u);
    arena.table(root)[0] = 0x7'ffff'f000 | pte::present;  // a table outside memory
    EXPECT_EQ(walk(arena, root, 0x1000).end, WalkEnd::no_memory);
    EXPECT_EQ(walk(arena, root, 0x1000).level, 3u);
    EXPECT_EQ(find_entry(arena, root, 0x1000), nullptr);
    EXPECT_EQ(map_page(arena, arena, root, 0x1000, 0, 0), MapEnd::no_frames);
    EXPECT_EQ(walk(arena, 0x7'ffff'f000, 0x1000).end, WalkEnd::no_memory);
}

TEST(PageWalk, ATableThatPointsAtItselfEnds) {
    Arena arena(8);
    const std::uint64_t root = arena.allocate();
    for (unsigned i = 0; i < paging::entries; ++i) arena.table(root)[i] = root | pte::present | pte::write;
    EXPECT_EQ(walk(arena, root, 0x1234'5678).physical, root + 0x678);
}

TEST(PageWalk, OutOfFramesAtEveryStepIsReportedAndCanBeRepeated) {
    for (std::size_t spare = 0; spare < 3; ++spare) {
        Arena arena(2 + spare);
        const std::uint64_t root = arena.allocate();
        EXPECT_EQ(map_page(arena, arena, root, 0x1000, 0x2000, 0), MapEnd::no_frames);
        EXPECT_EQ(walk(arena, root, 0x1000).end, WalkEnd::not_present);
        release_user_half(arena, arena, root);
        EXPECT_EQ(arena.free(), spare);
    }
}

TEST(PageWalk, ReleaseGivesBackEveryUserTableAndNoOther) {
    Arena arena(256);
    const std::uint64_t root = arena.allocate();
    ASSERT_EQ(map_page(arena, arena, root, paging::kernel_start + 0x1000, 0x1000, 0), MapEnd::ok);
    const std::size_t before = arena.free();
    for (std::uint64_t va = 0x1000; va < paging::user_end; va = va * 5 / 4 & ~0xfffull)
        if (map_page(arena, arena, root, va, 0x3000, pte::user) != MapEnd::ok) break;
    ASSERT_EQ(map_page(arena, arena, root, 0x7000'0000'0000, 0, pte::user, 3), MapEnd::ok);
    ASSERT_LT(arena.free(), before);
    release_user_half(arena, arena, root);
    EXPECT_EQ(arena.free(), before);
    EXPECT_TRUE(walk(arena, root, paging::kernel_start + 0x1000).mapped());
    EXPECT_EQ(walk(arena, root, 0x1000).level, 4u);
}

}  // namespace
