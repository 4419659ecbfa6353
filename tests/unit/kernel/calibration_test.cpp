// SPDX-License-Identifier: MIT
// From ticks to core cycles, and what is told of many batches.
#include <gtest/gtest.h>
#include <core/calibration.hpp>

namespace {

TEST(Calibration, TicksBecomeCoreCyclesByTheChain) {
    // 2048 additions in 1024 ticks: half a tick a core cycle. 10 instructions in 100 - 20 ticks: 8 ticks, 16 cycles
    // each.
    EXPECT_EQ(exo::core_millicycles(100, 20, 10, 1024, 2048), 16'000u);
    EXPECT_EQ(exo::core_millicycles(2048 + 1, 0, 2048, 2048, 2048), 1'000u);  // rounded down
    EXPECT_EQ(exo::core_millicycles(100, 100, 10, 1024, 2048), 0u);
    EXPECT_EQ(exo::core_millicycles(99, 100, 10, 1024, 2048), 0u);
    EXPECT_EQ(exo::core_millicycles(100, 20, 10, 0, 2048), 0u);
    EXPECT_EQ(exo::core_millicycles(100, 20, 0, 1024, 2048), 0u);
    // A time stamp that jumped does not overflow.
    EXPECT_EQ(exo::core_millicycles(~std::uint64_t{0}, 0, 1, 1, 4096), (std::uint64_t{1} << 42) * 1000 * 4096);
}

TEST(Calibration, SpreadOfBatches) {
    EXPECT_EQ(exo::spread_of({}), exo::Spread{});
    std::uint64_t one[] = {7};
    EXPECT_EQ(exo::spread_of(one), (exo::Spread{7, 7, 7}));
    std::uint64_t many[] = {20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1'000'000};
    EXPECT_EQ(exo::spread_of(many), (exo::Spread{1, 11, 19}));
}

}  // namespace
