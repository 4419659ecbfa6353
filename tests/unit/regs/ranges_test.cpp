// SPDX-License-Identifier: MIT
// The set of free RAM against one bit a page, over lists as untidy as firmware's.
#include <gtest/gtest.h>
#include <arch/ranges.hpp>
#include <bitset>
#include <random>

namespace {

using hal::x86::RangeSet;
constexpr std::uint64_t page = hal::page_bytes;
constexpr std::size_t pages = 96;  // never more than RangeSet::capacity separate ranges

void expect_same(const RangeSet& set, const std::bitset<pages>& model) {
    std::bitset<pages> seen;
    std::uint64_t last_end = 0;
    bool first = true;
    for (const auto& range : set.ranges()) {
        ASSERT_GT(range.bytes, 0u);
        ASSERT_TRUE(range.start.page_aligned() && range.bytes % page == 0);
        ASSERT_TRUE(first || range.start.value() > last_end) << "ranges touch or overlap";
        first = false;
        last_end = range.start.value() + range.bytes;
        for (std::uint64_t p = range.start.value() / page; p < last_end / page; ++p) seen.set(p);
    }
    ASSERT_EQ(seen, model);
}

TEST(RangeSet, AgreesWithABitmap) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 300; ++round) {
        RangeSet set;
        std::bitset<pages> model;
        for (int step = 0; step < 60; ++step) {
            const std::uint64_t start = random() % (pages * page), length = random() % (12 * page);
            const std::uint64_t end = std::min(start + length, pages * page);
            if (random() % 2) {  // whole pages within
                set.add(start, end);
                for (std::uint64_t p = (start + page - 1) / page; (p + 1) * page <= end; ++p) model.set(p);
            } else {  // every page touched
                set.remove(start, end);
                if (end > start)
                    for (std::uint64_t p = start / page; p * page < end; ++p) model.reset(p);
            }
            expect_same(set, model);
        }
    }
}

TEST(RangeSet, TopOfTheAddressSpace) {
    RangeSet set;
    set.add(0, ~0ull);
    ASSERT_EQ(set.ranges().size(), 1u);
    set.remove(0x1000, ~0ull);
    ASSERT_EQ(set.ranges().size(), 1u);
    EXPECT_EQ(set.ranges()[0].bytes, page);
    set.add(~0ull - 100, ~0ull);
    EXPECT_EQ(set.ranges().size(), 1u);
}

TEST(RangeSet, AFullSetNeverHandsOutWhatIsTaken) {
    RangeSet set;
    for (std::uint64_t i = 0; i < RangeSet::capacity + 10; ++i) set.add(i * 4 * page, (i * 4 + 3) * page);
    EXPECT_EQ(set.ranges().size(), RangeSet::capacity);
    set.remove(page, 2 * page);  // would split the first range
    for (const auto& range : set.ranges())
        EXPECT_FALSE(range.start.value() < 2 * page && range.start.value() + range.bytes > page);
}

}  // namespace
