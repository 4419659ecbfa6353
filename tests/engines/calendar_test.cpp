// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <sim/timing/calendar.hpp>

namespace {

using sim::timing::Calendar;

TEST(Calendar, BooksTheFirstFreeCycleOfAnyUnit) {
    Calendar calendar;
    EXPECT_EQ(calendar.book(0b11, 1, 10), 10u);
    EXPECT_EQ(calendar.book(0b11, 1, 10), 10u);
    EXPECT_EQ(calendar.book(0b11, 1, 10), 11u);
    EXPECT_EQ(calendar.book(0b100, 1, 10), 10u);
}

TEST(Calendar, ALaterBookingFillsAnEarlierGap) {
    Calendar calendar;
    EXPECT_EQ(calendar.book(0b1, 1, 50), 50u);
    EXPECT_EQ(calendar.book(0b1, 4, 47), 51u);  // three free cycles are not four
    EXPECT_EQ(calendar.book(0b1, 3, 47), 47u);
    EXPECT_EQ(calendar.book(0b1, 1, 47), 55u);
}

TEST(Calendar, ALongWaitTakesNoTime) {
    Calendar calendar;
    EXPECT_EQ(calendar.book(0b1, 1, 10), 10u);
    calendar.forget_before(1ull << 62);
    EXPECT_EQ(calendar.book(0b1, 1, (1ull << 62) + 1), (1ull << 62) + 1);
    EXPECT_EQ(calendar.book(0b1, 1, (1ull << 62) + 1), (1ull << 62) + 2);
}

TEST(Calendar, NoCycleOfAUnitIsBookedTwice) {
    Calendar calendar;
    std::mt19937 random(3);
    std::set<std::uint64_t> taken;
    std::uint64_t now = 0;
    for (int i = 0; i < 200'000; ++i) {
        calendar.forget_before(now += random() % 6);  // somewhat more time than is booked
        const unsigned cycles = 1 + random() % 3;
        const std::uint64_t ready = now + 1 + random() % 40, start = calendar.book(1, cycles, ready);
        ASSERT_GE(start, ready);
        if (start + cycles + 64 >= now + Calendar::window) break;  // beyond the window nothing is kept apart
        for (unsigned k = 0; k < cycles; ++k) ASSERT_TRUE(taken.insert(start + k).second) << i;
        while (!taken.empty() && *taken.begin() + 64 < now) taken.erase(taken.begin());
    }
    EXPECT_GT(now, 100'000u);
}

}  // namespace
