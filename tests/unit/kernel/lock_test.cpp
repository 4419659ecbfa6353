// SPDX-License-Identifier: MIT
// Lock ranks: ascending order passes, everything else stops at once.
#include <gtest/gtest.h>

#include <core/lock.hpp>

namespace exo {
namespace {

TEST(LockRank, AscendingOrderPassesInAnyCombination) {
    SpinLock<Rank::space> space;
    SpinLock<Rank::wait_queue> queue;
    SpinLock<Rank::console> console;
    for (int i = 0; i < 2; ++i) {
        ScopedLock a(space);
        ScopedLock b(queue);
        EXPECT_TRUE(space.held() && queue.held());
        { ScopedLock c(console); }
        ScopedLock c(console);  // given back and taken again
    }
    EXPECT_FALSE(space.held() || queue.held() || console.held());
    { ScopedLock b(queue); }
    ScopedLock a(space);  // lower, but nothing is held any more
}

TEST(LockRank, InversionStopsEvenWithoutASecondCpu) {
    SpinLock<Rank::frames> frames;
    SpinLock<Rank::slab> slab;
    EXPECT_DEATH(
        {
            ScopedLock high(frames);
            ScopedLock low(slab);
        },
        "mask\\(\\) < bit");
}

TEST(LockRank, TwoOfOneRankStop) {
    SpinLock<Rank::wait_queue> one, other;
    EXPECT_DEATH(
        {
            ScopedLock a(one);
            ScopedLock b(other);
        },
        "mask\\(\\) < bit");
}

TEST(LockRank, TheSameLockTwiceStopsInsteadOfSpinning) {
    SpinLock<Rank::console> lock;
    EXPECT_DEATH(
        {
            ScopedLock a(lock);
            ScopedLock b(lock);
        },
        "mask\\(\\) < bit");
}

TEST(LockRank, HeldWithInterruptsMaskedAndGivenBackInOrder) {
    SpinLock<Rank::space> lock;
    hal::irq_enable();
    {
        ScopedLock held(lock);
        EXPECT_FALSE(hal::irq_enabled());
    }
    EXPECT_TRUE(hal::irq_enabled());
    hal::irq_disable();
    { ScopedLock held(lock); }
    EXPECT_FALSE(hal::irq_enabled());
}

}  // namespace
}  // namespace exo
