// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <lib/refcount.hpp>
#include <lib/result.hpp>
#include <lib/sizes.hpp>

namespace exo {
namespace {

struct Counted {
    explicit Counted(int v) : value(v) { ++alive; }
    Counted(const Counted& other) : value(other.value) { ++alive; }
    Counted(Counted&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
    ~Counted() { --alive; }
    int value;
    static inline int alive = 0;
};

Result<int> half(int value) {
    if (value % 2 != 0) return Error::bad_argument;
    return value / 2;
}
Result<int> quarter(int value) { return half(EXO_TRY(half(value))); }
Result<void> must_quarter(int value) {
    EXO_TRY(quarter(value));
    return {};
}
Result<Counted> counted(bool good) {
    if (!good) return Error::busy;
    return Counted(7);
}
Result<int> read_counted(bool good) { return EXO_TRY(counted(good)).value; }

constexpr Result<int> constant = 5;
static_assert(constant.ok() && *constant == 5);
constexpr Result<void> nothing;
static_assert(nothing.ok());

TEST(Result, HoldsAValueOrAnError) {
    EXPECT_EQ(*quarter(12), 3);
    EXPECT_EQ(quarter(6).error(), Error::bad_argument);
    EXPECT_TRUE(must_quarter(8).ok());
    EXPECT_EQ(must_quarter(9).error(), Error::bad_argument);
    EXPECT_EQ(half(3).value_or(11), 11);
    EXPECT_EQ(half(4).value_or(11), 2);
}

TEST(Result, DestroysExactlyWhatItHolds) {
    {
        Result<Counted> good = counted(true);
        Result<Counted> bad = counted(false);
        Result<Counted> copy = good;
        Result<Counted> moved = std::move(good);
        EXPECT_EQ(copy->value, 7);
        EXPECT_EQ(moved->value, 7);
        EXPECT_EQ(good->value, -1);
        EXPECT_EQ(Counted::alive, 3);
        EXPECT_EQ(*read_counted(true), 7);
        EXPECT_EQ(read_counted(false).error(), Error::busy);
    }
    EXPECT_EQ(Counted::alive, 0);
}

TEST(ResultDeath, WrongAccessAsserts) {
    EXPECT_DEATH((void)half(3).value(), "assertion failed: ok\\(\\)");
    EXPECT_DEATH((void)half(2).error(), "assertion failed: !ok\\(\\)");
    EXPECT_DEATH((void)Result<int>(Error{}), "error != no_error");
}

struct Shared {
    void ref() { count.increment(); }
    void unref() {
        if (count.decrement()) ended = true;
    }
    RefCount count;
    bool ended = false;
};

TEST(Ref, TheLastReferenceEndsTheObject) {
    Shared object;
    {
        Ref<Shared> first = Ref<Shared>::adopt(object);
        Ref<Shared> second = first;
        Ref<Shared> third(object);
        EXPECT_EQ(object.count.value(), 3u);
        second = std::move(third);
        EXPECT_FALSE(third);
        EXPECT_EQ(object.count.value(), 2u);
        second = second;
        first.reset();
        EXPECT_FALSE(object.ended);
        Result<Ref<Shared>> through = second;
        EXPECT_EQ(object.count.value(), 2u);
    }
    EXPECT_TRUE(object.ended);
}

TEST(RefDeath, RevivalAndDoubleReleaseAssert) {
    RefCount count;
    ASSERT_TRUE(count.decrement());
    EXPECT_DEATH(count.increment(), "before != 0");
    EXPECT_DEATH((void)count.decrement(), "before != 0");
}

TEST(Sizes, RoundingAndOrders) {
    static_assert(align_up(4097ul, 4096) == 8192 && align_down(4097ul, 4096) == 4096 && align_up(0ul, 64) == 0);
    static_assert(is_aligned(64ul, 64) && !is_aligned(65ul, 64) && divide_up(~0ul, 2) == 1ul << 63);
    EXPECT_EQ(order_for_pages(0), 0u);
    for (std::uint64_t pages = 1; pages <= 5000; ++pages) {
        const unsigned order = order_for_pages(pages);
        EXPECT_GE(1ul << order, pages);
        if (order != 0) {
            EXPECT_LT(1ul << (order - 1), pages);
        }
    }
    EXPECT_EQ(order_for_bytes(4096), 0u);
    EXPECT_EQ(order_for_bytes(4097), 1u);
}

}  // namespace
}  // namespace exo
