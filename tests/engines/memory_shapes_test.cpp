// SPDX-License-Identifier: GPL-2.0-or-later
// Each step of the memory is where the CPU's sizes say, and at what it costs: below it nothing has changed yet, above
// it everything has. And what does not go the usual way: flushes, stores past the caches, whole lines, the op cache.
#include <gtest/gtest.h>

#include <sim/timing/model.hpp>

#include "memory_walks.hpp"
#include "synthetic.hpp"

namespace {

using namespace memory_walks;

double chase_kib(std::uint64_t kib) { return Walker().chase(shuffled(walk(kib << 10))); }
// One line a page, no two in one set of the L1 until all are taken.
double chase_pages(std::uint64_t pages) {
    Walker walker;
    const auto addresses = shuffled(walk(pages * 4160, 4160));
    walker.cold_chase(addresses, scattered), walker.cold_chase(addresses, scattered);
    return walker.cold_chase(addresses, scattered);
}

TEST(MemoryShapes, WorkingSetsStepAtTheSizesOfTheCaches) {
    const struct {
        unsigned kib, below, above;  // cycles
    } steps[] = {{zen4.l1_data_kib, zen4.load_integer, zen4.l2_latency},
                 {zen4.l2_kib, zen4.l2_latency, zen4.l3_latency},
                 {zen4.l3_kib, zen4.l3_latency, zen4.dram_latency}};
    for (const auto& step : steps) {
        SCOPED_TRACE(step.kib);
        EXPECT_NEAR(chase_kib(step.kib), step.below, 0.02 * step.below);
        EXPECT_NEAR(chase_kib(std::uint64_t{step.kib} * 2), step.above, 0.02 * step.above);
    }
    double before = 0;
    for (std::uint64_t kib = 8; kib <= 64 << 10; kib *= 2) {
        const double now = chase_kib(kib);
        EXPECT_GE(now, before * 0.999) << kib;
        before = now;
    }
}

TEST(MemoryShapes, PagesStepAtTheSizesOfTheTlbs) {
    EXPECT_DOUBLE_EQ(chase_pages(zen4.l1_data_tlb), zen4.load_integer);
    const double second = zen4.load_integer + zen4.l2_tlb_latency;
    EXPECT_NEAR(chase_pages(2 * zen4.l1_data_tlb), second, 0.5);
    EXPECT_NEAR(chase_pages(400), second, 0.5);  // 512 lines are what the L1 holds
    const double most = zen4.l2_latency + zen4.l2_tlb_latency;
    EXPECT_NEAR(chase_pages(2048), most, 1);
    EXPECT_NEAR(chase_pages(zen4.l2_data_tlb * 9 / 10), most, 2);
    EXPECT_GT(chase_pages(2 * zen4.l2_data_tlb), most + 8);  // walks, whose tables are in the L2
}

TEST(MemoryShapes, StridesCostALineUntilThereIsOneEach) {
    // Of words a line is fetched once; from 64 bytes on each load has its own.
    const auto cost = [](std::uint64_t stride) {
        return Walker().stream(walk(std::min<std::uint64_t>(stride << 17, 32 << 20), stride));
    };
    const double line = cost(64);
    EXPECT_NEAR(line, double(zen4.dram_latency) / zen4.l2_misses, 0.5);
    EXPECT_NEAR(cost(32), line / 2, 0.5);
    EXPECT_NEAR(cost(16), line / 4, 0.5);
    for (const std::uint64_t stride : {96u, 128u, 192u, 256u, 512u}) EXPECT_LT(cost(stride), 1.7 * line) << stride;
    EXPECT_GT(cost(4096), 1.5 * line);  // no page has two: nothing to foresee
    EXPECT_LT(cost(4096), 4 * line);
}

// What a switch touches: two lines of the next thread's stack. Stacks are two pages and three lines apart.
double cost_of_switch(std::uint64_t threads) {
    Walker walker;
    const auto stacks = shuffled(walk(threads * (8192 + 192), 8192 + 192));
    double cycles = 0;
    for (int lap = 0; lap < 3; ++lap) {
        cycles = walker.cold_chase(stacks, scattered);
        for (const std::uint64_t stack : stacks) walker.load(stack + 64, scattered);
    }
    return cycles;
}

TEST(MemoryShapes, ThreadsStepWhereTheirStacksNoLongerFit) {
    EXPECT_DOUBLE_EQ(cost_of_switch(1), 4);
    EXPECT_DOUBLE_EQ(cost_of_switch(50), 4);  // of 72 pages
    EXPECT_NEAR(cost_of_switch(200), 4 + 7, 0.5);
    EXPECT_NEAR(cost_of_switch(1000), 17 + 7, 3);  // two lines each: more than the L1 holds
    EXPECT_NEAR(cost_of_switch(2500), 17 + 7, 3);
    EXPECT_GT(cost_of_switch(5000), 17 + 7 + 8);   // of 3,072 pages
    EXPECT_GT(cost_of_switch(10000), 50 + 7 + 8);  // more lines than the L2's 16,384
}

class Lines : public ::testing::Test {
  protected:
    SharedMemory shared_{zen4};
    Memory memory_{zen4, shared_}, other_{zen4, shared_};
    std::uint64_t cycle_ = 0;

    static Access of(AccessKind kind, std::uint64_t address, std::uint8_t size = 8) {
        return {0, kind, size, false, direct_map + address, address};
    }
    unsigned load(std::uint64_t address) {
        return memory_.load(of(AccessKind::load, address), cycle_ += 100000).cycles;
    }
    unsigned store(std::uint64_t address) {
        return memory_.store(of(AccessKind::store, address), cycle_ += 100000).cycles;
    }
    bool flush(std::uint64_t address, bool evict) { return memory_.flush(of(AccessKind::load, address, 1), evict); }
    static constexpr unsigned from_memory = 436;
};

TEST_F(Lines, AFlushEvictsAndAWriteBackDoesNot) {
    load(0), store(0);
    EXPECT_EQ(load(0), 0u);
    EXPECT_TRUE(flush(0, false));  // clwb: written once
    EXPECT_FALSE(flush(0, false));
    EXPECT_EQ(load(0), 0u);
    store(0);
    EXPECT_TRUE(flush(0, true));
    EXPECT_EQ(load(0), from_memory);
    EXPECT_FALSE(flush(0, true));
    EXPECT_EQ(load(0), from_memory);
    // Another CPU's, too.
    other_.store(of(AccessKind::store, 0), cycle_ += 100000);
    EXPECT_TRUE(flush(32, true));
    EXPECT_EQ(other_.load(of(AccessKind::load, 0), cycle_ += 100000).cycles, from_memory);
}

TEST_F(Lines, StoresPastTheCachesLeaveNothingInThem) {
    load(0);
    EXPECT_EQ(load(0), 0u);
    memory_.store_past(of(AccessKind::store, 0, 16), cycle_ += 100000);
    EXPECT_EQ(load(0), from_memory);
    const std::uint64_t start = cycle_ += 100000;
    std::uint64_t now = start;
    constexpr unsigned lines = 1000;
    for (unsigned i = 0; i < 4 * lines; ++i)
        now += memory_.store_past(of(AccessKind::store, 4096 + 16 * i, 16), now).cycles;
    EXPECT_NEAR(double(now - start) / lines, zen4.dram_write_interval, 0.5);
}

TEST_F(Lines, AWholeLineIsNotFetchedBeforeItIsWritten) {
    load(0);
    const auto whole = [&](std::uint64_t address) {
        return memory_.store_line(of(AccessKind::store, address, 64), cycle_ += 100000).cycles;
    };
    EXPECT_EQ(store(64), from_memory);
    EXPECT_EQ(whole(128), zen4.l3_latency - 4);
    EXPECT_EQ(whole(128), 0u);
    EXPECT_EQ(store(128), 0u);
    EXPECT_EQ(load(128), 0u);
    EXPECT_EQ(memory_.store_line(of(AccessKind::store, 192, 32), cycle_ += 100000).cycles, from_memory);  // a part
    other_.store(of(AccessKind::store, 256), cycle_ += 100000);
    EXPECT_EQ(whole(256), zen4.transfer() - 4);
}

TEST_F(Lines, WhoComesDuringAWalkWaitsForIt) {
    constexpr std::uint64_t page = 0x7f0000001000;
    const Access first{0, AccessKind::load, 8, false, page, 0x5000},
        second{0, AccessKind::load, 8, false, page + 8, 0x5008};
    memory_.load(first, 0);
    const std::uint64_t start = 1000000;
    memory_.control({0, 0, ControlKind::invalidate_all, 0, 0});
    const unsigned walked = memory_.load(first, start).cycles;
    ASSERT_GT(walked, zen4.l2_tlb_latency);
    EXPECT_EQ(memory_.load(second, start + 2).cycles, walked - 2);
    EXPECT_EQ(memory_.load(second, start + walked).cycles, 0u);
}

// Cycles an instruction of code without branches, again and again: six movs a cycle, four if they are decoded.
double straight_code(std::uint64_t bytes) {
    const auto model = make_model(default_cpu_model);
    std::vector<CodeBlock> blocks;
    std::uint64_t at = synthetic::kernel_base, count = 0;
    while (at < synthetic::kernel_base + bytes) {
        synthetic::CodeBuilder builder(static_cast<CodeId>(blocks.size()), at);
        for (int i = 0; i < 48; ++i) builder.add({0x66, 0x66, 0x48, 0x89, 0xd8}, synthetic::rbx, synthetic::rax);
        blocks.push_back(builder.take());
        at += blocks.back().bytes.size(), count += 48;
        model->on_code(blocks.back());
    }
    std::vector<RetireTime> times(48);
    Cycle before = 0;
    for (int pass = 0; pass < 4; ++pass) {
        if (pass == 2) before = model->now();
        for (const CodeBlock& block : blocks) model->run({0, &block, 0, 48, 0, false, {}}, times);
    }
    return double(model->now() - before) / double(2 * count);
}

TEST(OpCache, CodeBeyondItIsDecodedAtFourACycle) {
    const double held = zen4.op_cache_entries * 32 / 1024.0;  // KiB
    EXPECT_NEAR(straight_code(std::uint64_t(held * 0.9) << 10), 1.0 / 6, 0.005);
    EXPECT_NEAR(straight_code(std::uint64_t(held * 1.25) << 10), 1.0 / 4, 0.015);  // still in the L1
}

}  // namespace
