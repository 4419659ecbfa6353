// SPDX-License-Identifier: GPL-2.0-or-later
// The shapes that hardware shows: steps where caches and TLBs end, streams faster than chases, lines that bounce.
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <sim/timing/branch_predictor.hpp>
#include <vector>

#include "memory_walks.hpp"

namespace {

using namespace memory_walks;

TEST(MemoryTiming, ChasesShowTheStepsOfTheCaches) {
    const auto at = [](std::uint64_t kib) { return Walker().chase(shuffled(walk(kib << 10))); };
    EXPECT_DOUBLE_EQ(at(8), 4);
    EXPECT_DOUBLE_EQ(at(32), 4);
    EXPECT_NEAR(at(64), 17, 1);
    EXPECT_NEAR(at(768), 17, 1);
    EXPECT_NEAR(at(4 << 10), 50, 3);
    EXPECT_NEAR(at(16 << 10), 50, 3);
    EXPECT_GT(at(64 << 10), 400);
    EXPECT_LT(at(64 << 10), 450);
}

TEST(MemoryTiming, StridesShowSetsAndTranslations) {
    // 16 lines at distances of 4 KiB share a set of the L1; a line more apart, they do not.
    EXPECT_GE(Walker().chase(walk(16 << 12, 4096)), 17);
    EXPECT_DOUBLE_EQ(Walker().chase(walk(16 * 4160, 4160)), 4);
    // One line a page, no two in a set: 64 pages are in the first level, 1,000 in the second, 12,000 in none.
    const auto pages = [](unsigned count) {
        Walker walker;
        walker.chase(walk(count * 4160ull, 4160), scattered);
        return walker.waits(Wait::tlb);
    };
    EXPECT_LE(pages(60), 66u);  // the first pass only; the steps cross into a page more
    Walker small, medium, large;
    const double in_first = small.chase(walk(60 * 4160, 4160), scattered);
    const double in_second = medium.chase(walk(400 * 4160, 4160), scattered);
    EXPECT_DOUBLE_EQ(in_first, 4);
    EXPECT_NEAR(in_second, 4 + 7, 1);
    const double in_none = large.chase(walk(12000ull * 4160, 4160), scattered);
    EXPECT_GT(in_none, 17 + 7 + 10);  // lines in the L2, the tables there or in the L3
    EXPECT_GT(in_none, Walker().chase(walk(12000ull * 4160, 4160), direct_map) + 10);
}

TEST(MemoryTiming, SequentialWalksAreBoundByBandwidthAndRandomOnesByLatency) {
    const auto lines = walk(8 << 20);  // for the first time, so from memory
    EXPECT_NEAR(Walker().stream(lines), double(zen4.dram_latency) / zen4.l2_misses, 1);
    EXPECT_LT(Walker().cold_chase(lines), 12);
    EXPECT_LT(Walker().stream(lines, scattered),
              15);  // pages of 4 KiB that nobody has seen before: until it knows them
    EXPECT_GT(Walker().cold_chase(shuffled(lines)), 400);
    Machine without = zen4;
    without.l1_lines_ahead = without.l2_lines_ahead = 0;
    EXPECT_GT(Walker(without).cold_chase(lines), 400);
}

TEST(MemoryTiming, BackwardWalksAndStepsWithinAPageArePrefetchedToo) {
    auto backwards = walk(8 << 20);
    std::reverse(backwards.begin(), backwards.end());
    EXPECT_LT(Walker().chase(backwards), 15);
    EXPECT_LT(Walker().chase(walk(32 << 20, 192)), 40);
}

TEST(MemoryTiming, PrefetchersAskForEachLineOnceAndCrossIntoTheNextPage) {
    constexpr std::uint64_t first = 5 * 64, count = 3 * 64;
    for (const bool forwards : {true, false}) {
        StreamPrefetcher streams(32);
        std::vector<std::uint64_t> asked;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t line = first + (forwards ? i : count - 1 - i);
            streams.observe(line, [&](int distance) {
                EXPECT_LE(std::abs(distance), 32);
                asked.push_back(line + std::uint64_t(std::int64_t(distance)));
                return true;
            });
        }
        EXPECT_EQ(asked.size(), count - 3 + 32);  // all but the three that it learns from, and those ahead of the last
        std::ranges::sort(asked);
        EXPECT_EQ(std::ranges::adjacent_find(asked), asked.end());
    }
}

TEST(MemoryTiming, PrefetchersAskAgainForWhatThereWasNoRoomFor) {
    StreamPrefetcher streams(8);
    std::vector<std::uint64_t> asked;
    for (std::uint64_t line = 0; line < 40; ++line)
        streams.observe(line, [&](int distance) {
            if (line < 20) return false;
            asked.push_back(line + std::uint64_t(distance));
            return true;
        });
    ASSERT_FALSE(asked.empty());
    EXPECT_EQ(asked.front(), 21u);
    EXPECT_EQ(asked.size(), 39u + 8 - 20);
}

TEST(MemoryTiming, OneLineAPageIsNoStreamOfItsNeighbours) {
    StreamPrefetcher streams(32);
    std::mt19937_64 random(1);
    for (int i = 0; i < 1000; ++i)
        streams.observe(random() % (1 << 20) * 64, [](int) {
            ADD_FAILURE() << "no stream";
            return true;
        });
}

TEST(MemoryTiming, MissesInFlightAreLimitedAndShared) {
    SharedMemory shared(zen4);
    Memory memory(zen4, shared);
    const auto load = [&](std::uint64_t address, std::uint64_t cycle) {
        return cycle + memory.load({0, AccessKind::load, 8, false, direct_map + address, address}, cycle).cycles;
    };
    load(0, 0);  // the translation is known then
    const std::uint64_t first = load(1 << 16, 10000);
    EXPECT_EQ(first, 10436u);
    EXPECT_EQ(load((1 << 16) + 8, 10100), first);  // the same line, on its way
    EXPECT_EQ(load((1 << 16) + 16, 10500), 10500u);
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < 24; ++i) last = std::max(last, load((i + 17) << 15, 20000));
    EXPECT_LT(last, 20436u + 24 * 10);
    EXPECT_GT(load(60 << 15, 20000), 20436u + 400);  // the 25th waits for the first
}

// Threads that each touch some lines of their own, by turns.
TEST(MemoryTiming, ManyThreadsShowTheSteps) {
    const auto cost = [](std::uint64_t threads) {
        std::vector<std::uint64_t> addresses;
        for (std::uint64_t thread = 0; thread < threads; ++thread)
            for (std::uint64_t line = 0; line < 8; ++line)
                addresses.push_back(thread * (8192 + 576) + (line * 13 % 32) * 64);  // 13: no stream
        return Walker().chase(addresses, scattered);
    };
    const double one = cost(1), ten = cost(10), hundred = cost(100), thousand = cost(1000), many = cost(10000);
    EXPECT_DOUBLE_EQ(one, 4);
    EXPECT_DOUBLE_EQ(ten, 4);
    EXPECT_GT(hundred, 13);
    EXPECT_LT(hundred, 20);
    EXPECT_NEAR(thousand, hundred, 2);  // the same levels of cache and TLB
    EXPECT_GT(many, thousand + 20);
}

TEST(MemoryTiming, ALineThatAnotherCpuWroteCostsWhatPlacementSays) {
    for (const auto& [placement, cycles] :
         {std::pair{Placement::smt, 100u}, {Placement::near, 225u}, {Placement::far, 890u}}) {
        Machine machine = zen4;
        machine.placement = placement;
        SharedMemory shared(machine);
        Memory first(machine, shared), second(machine, shared);
        const Access store{0, AccessKind::store, 8, false, direct_map, 0},
            load{0, AccessKind::load, 8, false, direct_map, 0}, atomic{0, AccessKind::rmw, 8, false, direct_map, 0};
        first.store(store, 0), second.load(load, 0);
        std::uint64_t cycle = 100000;
        for (int i = 0; i < 10; ++i, cycle += 10000) {  // atomics by turns
            const Memory::Delay a = first.load(atomic, cycle), b = second.load(atomic, cycle);
            EXPECT_EQ(b.cycles, cycles - 4);
            EXPECT_EQ(b.why, Wait::coherence);
            EXPECT_TRUE(i == 0 || a.cycles == cycles - 4) << a.cycles;
            EXPECT_EQ(second.store(store, cycle + 5000).cycles, 0u);
        }
        // A flag: one writes, the other reads. Both then share it: reading costs nothing, writing again does.
        EXPECT_EQ(first.load(load, cycle).cycles, cycles - 4);
        EXPECT_EQ(second.load(load, cycle + 5000).cycles, 0u);
        EXPECT_EQ(first.load(load, cycle + 5000).cycles, 0u);
        EXPECT_EQ(second.store(store, cycle + 6000).why, Wait::coherence);
        EXPECT_EQ(second.store(store, cycle + 9000).cycles, 0u);
        EXPECT_EQ(first.load(load, cycle + 9000).why, Wait::coherence);
    }
}

TEST(MemoryTiming, OneCpuNeverWaitsForOthers) {
    Walker walker;
    std::mt19937_64 random(3);
    for (int i = 0; i < 200000; ++i) {
        const std::uint64_t address = random() % (4 << 20) & ~7ull;
        const auto kind = static_cast<AccessKind>(random() % 3);
        const Access access{0, kind, 8, false, scattered + address, address};
        const Memory::Delay delay = kind == AccessKind::store ? walker.memory().store(access, std::uint64_t(i) * 10)
                                                              : walker.memory().load(access, std::uint64_t(i) * 10);
        ASSERT_NE(delay.why, Wait::coherence);
        ASSERT_EQ(delay.cycles == 0, delay.why == Wait::none);
    }
}

// Nothing in a CPU's file may crash the model.
TEST(MemoryTiming, OddMachinesRun) {
    for (const unsigned value : {0u, 1u, 3u, 1000u}) {
        Machine odd = zen4;
        for (unsigned* field : {&odd.l1_data_kib,
                                &odd.l1_data_ways,
                                &odd.l1_code_kib,
                                &odd.l1_code_ways,
                                &odd.l2_kib,
                                &odd.l2_ways,
                                &odd.l2_latency,
                                &odd.l2_interval,
                                &odd.l3_kib,
                                &odd.l3_ways,
                                &odd.l3_latency,
                                &odd.l3_interval,
                                &odd.dram_latency,
                                &odd.dram_interval,
                                &odd.l1_misses,
                                &odd.l2_misses,
                                &odd.l1_lines_ahead,
                                &odd.l2_lines_ahead,
                                &odd.l1_data_tlb,
                                &odd.l2_data_tlb,
                                &odd.l2_data_tlb_ways,
                                &odd.l1_code_tlb,
                                &odd.l2_code_tlb,
                                &odd.l2_code_tlb_ways,
                                &odd.walk_cache,
                                &odd.page_walkers,
                                &odd.transfer_near,
                                &odd.l1_branch_targets,
                                &odd.l1_branch_target_ways,
                                &odd.l2_branch_targets,
                                &odd.l2_branch_target_ways,
                                &odd.return_stack,
                                &odd.load_integer})
            *field = value;
        Walker walker(odd);
        BranchPredictor predictor(odd);
        std::mt19937_64 random(5);
        for (std::uint64_t i = 0; i < 20000; ++i) {
            const std::uint64_t address = random() % (2 << 20);
            const auto size = static_cast<std::uint8_t>(1 + random() % 64);
            const Access access{0, AccessKind::rmw, size, false, scattered + address, address};
            walker.memory().load(access, i * 2000);
            walker.memory().fetch(scattered + address, address, i * 2000);
            predictor.bubble(address), predictor.call(address), predictor.ret(address, random());
        }
    }
}

TEST(MemoryTiming, ControlsForgetTranslations) {
    Walker walker;
    Memory& memory = walker.memory();
    std::uint64_t cycle = 0;
    const auto again = [&](std::uint64_t virtual_address) {
        return memory.load({0, AccessKind::load, 8, false, virtual_address, 0x5000}, cycle += 100000).cycles;
    };
    const auto control = [&](ControlKind kind, std::uint64_t which, std::uint64_t value) {
        memory.control({0, 0, kind, which, value});
    };
    constexpr std::uint64_t user = 0x400000, kernel = 0xffffc00000400000;
    control(ControlKind::cr4, 4, 1u << 7);
    again(user), again(kernel);
    EXPECT_EQ(again(user), 0u);
    control(ControlKind::cr3, 3, 0x1000);  // global pages stay
    EXPECT_EQ(again(kernel), 0u);
    EXPECT_GT(again(user), 0u);
    control(ControlKind::invalidate_page, user, 0);
    EXPECT_EQ(again(kernel), 0u);
    EXPECT_GT(again(user), 0u);
    control(ControlKind::invalidate_all, 0, 0);
    EXPECT_GT(again(kernel), 0u);
    control(ControlKind::cr4, 4, 1u << 7 | 1u << 17);  // PCIDs: each address space keeps its own
    for (int i = 0; i < 2; ++i)
        for (const std::uint64_t space : {0x1001, 0x2002}) {
            control(ControlKind::cr3, 3, space);
            EXPECT_EQ(again(user) == 0, i == 1);
        }
}

TEST(MemoryTiming, CodeBeyondTheFirstLevelCosts) {
    const auto cost = [](std::uint64_t bytes, std::uint64_t step) {
        Walker walker;
        std::uint64_t now = 0, start = 0, lines = 0;
        for (int pass = 0; pass < 3; ++pass)
            for (std::uint64_t at = 0; at < bytes; at += step) {
                if (pass == 1 && at == 0) start = now;
                now += 10 + walker.memory().fetch(0xffffffff80000000 + at, at, now).cycles;
                lines += pass > 0;
            }
        return double(now - start) / double(lines) - 10;
    };
    EXPECT_DOUBLE_EQ(cost(32 << 10, 64), 0);
    EXPECT_GT(cost(512 << 10, 448), 10);  // the L2's latency: no line next to another
    EXPECT_LT(cost(512 << 10, 64), 4);    // the next ones are on their way
    EXPECT_GT(cost(4 << 20, 448), 40);    // the L3, and the translations
}

TEST(BranchPredictorShapes, HistoryTellsLongPatterns) {
    BranchPredictor predictor(zen4);
    const auto wrong = [&](auto outcome, int count) {
        int misses = 0;
        for (int i = 0; i < 2 * count; ++i) {
            const bool right = predictor.conditional(0x401000, outcome(i));
            misses += i >= count && !right;
        }
        return misses;
    };
    EXPECT_EQ(wrong([](int i) { return i % 7 != 0; }, 20000), 0);
    EXPECT_LT(wrong([](int i) { return i % 60 != 0; }, 40000), 40);
    std::mt19937 random(1);
    std::vector<bool> pattern(64);
    for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = random() & 1;
    EXPECT_LT(wrong([&](int i) { return bool(pattern[std::size_t(i) % 64]); }, 40000), 400);
    const int chance = wrong([&](int) { return bool(random() & 1); }, 20000);
    EXPECT_GT(chance, 8000);
    EXPECT_LT(chance, 12000);
}

TEST(BranchPredictorShapes, TargetBuffersHaveTwoSteps) {
    const auto bubbles = [](std::uint64_t branches) {
        BranchPredictor predictor(zen4);
        std::uint64_t sum = 0;
        for (int pass = 0; pass < 4; ++pass)
            for (std::uint64_t i = 0; i < branches; ++i) {
                const unsigned wait = predictor.bubble(0x400000 + i * 32);
                sum += pass >= 2 ? wait : 0;
            }
        return double(sum) / (2.0 * double(branches));
    };
    EXPECT_DOUBLE_EQ(bubbles(1024), 0);
    EXPECT_DOUBLE_EQ(bubbles(6000), zen4.l2_target_bubble);
    EXPECT_DOUBLE_EQ(bubbles(20000), zen4.decode_bubble);
}

TEST(BranchPredictorShapes, TheReturnStackHoldsThirtyTwo) {
    const auto wrong = [](unsigned depth) {
        BranchPredictor predictor(zen4);
        unsigned misses = 0;
        std::mt19937_64 random(1);
        for (int round = 0; round < 10; ++round) {
            std::vector<std::uint64_t> addresses;
            for (unsigned i = 0; i < depth; ++i) predictor.call(addresses.emplace_back(random()));
            for (unsigned i = depth; i-- > 0;) misses += !predictor.ret(0x400000, addresses[i]);
        }
        return misses;
    };
    EXPECT_EQ(wrong(32), 0u);
    EXPECT_EQ(wrong(40), 80u);
}

TEST(BranchPredictorShapes, IndirectBranchesAreToldByThePath) {
    BranchPredictor predictor(zen4);
    int misses = 0;
    for (int i = 0; i < 4000; ++i) {
        const bool right = predictor.indirect(0x401000, 0x500000 + std::uint64_t(i % 4) * 0x140);
        misses += i >= 2000 && !right;
    }
    EXPECT_EQ(misses, 0);
}

}  // namespace
