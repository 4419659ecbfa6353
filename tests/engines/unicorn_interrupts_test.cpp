// SPDX-License-Identifier: GPL-2.0-or-later
// Interrupts come exactly where they are asked for, and leave no other trace than their handler's work.
#include <algorithm>

#include "unicorn_run.hpp"

namespace sim::test {
namespace {

TEST(UnicornInterrupts, HitEveryInstructionOfAComputationWithoutDisturbingIt) {
    const Outcome base = run_guest("compute");
    ASSERT_EQ(base.result.stop, StopReason::power_off);
    ASSERT_TRUE(base.result.interrupts_at.empty());
    const std::uint64_t end = base.result.instructions;
    std::uint64_t handler = 0, exact = 0, delivered = 0;
    for (std::uint64_t at = end - 900; at < end; ++at) {
        CheckingSink sink;
        const bool with_events = at % 2;
        const Outcome run = run_guest("compute", {.irq_at = {at}, .events = with_events ? &sink : nullptr});
        ASSERT_EQ(run.console, base.console) << "disturbed by an interrupt before instruction " << at;
        if (run.result.interrupts_at.empty()) {  // not programmed yet, or interrupts stay off to the end
            ASSERT_EQ(run.result.instructions, end);
            continue;
        }
        ++delivered;
        const std::uint64_t came = run.result.interrupts_at.front();
        ASSERT_EQ(run.result.interrupts_at.size(), 1u);
        ASSERT_GE(came, at);
        exact += came == at;
        if (!handler) handler = run.result.instructions - end;
        ASSERT_EQ(run.result.instructions - end, handler) << "instructions were lost or counted twice at " << at;
        if (with_events) {
            ASSERT_EQ(sink.transfers.size(), 1u);
            ASSERT_EQ(sink.transfers[0].transfer.kind, TransferKind::interrupt);
            ASSERT_EQ(sink.transfers[0].transfer.index, came);
        }
    }
    EXPECT_GT(delivered, 300u);
    EXPECT_GT(exact * 10, delivered * 8) << "only where interrupts are off may one be late";
    EXPECT_LT(exact, delivered) << "the computation turns interrupts off and on: some must be late";
}

TEST(UnicornInterrupts, AnUnprogrammedTimerIgnoresExtraOnesAndSaysSo) {
    const Outcome run = run_guest("paging", {.irq_at = {100, 50}});
    EXPECT_EQ(run.result.stop, StopReason::power_off);
    EXPECT_TRUE(run.result.interrupts_at.empty());
    EXPECT_EQ(run.result.irq_at_ignored, (std::vector<std::uint64_t>{50, 100}));
}

// The write to the initial count is instruction W; the deadline is 6000 ticks after it.
TEST(UnicornInterrupts, TheOneShotTimerFiresAtItsTick) {
    CheckingSink sink;
    const Outcome run = run_guest("clock", {.command_line = "o", .events = &sink});
    ASSERT_EQ(run.result.interrupts_at.size(), 1u);
    std::uint64_t interrupt_on_write = 0;
    for (const RecordedTransfer& it : sink.transfers) interrupt_on_write = it.transfer.index;
    EXPECT_EQ(interrupt_on_write, run.result.interrupts_at[0]);
    // The same from the guest's program: it is the only loop, and runs until the deadline.
    const Outcome extra = run_guest("clock", {.command_line = "o", .irq_at = {run.result.interrupts_at[0] - 10}});
    EXPECT_EQ(extra.result.interrupts_at[0], run.result.interrupts_at[0] - 10);
}

TEST(UnicornInterrupts, HaltSleepsUntilTheTimerAndTellsHowLong) {
    CheckingSink sink;
    const Outcome run = run_guest("clock", {.command_line = "p", .events = &sink});
    ASSERT_EQ(sink.halts.size(), 5u);
    std::uint64_t skipped = 0;
    for (const Halt& halt : sink.halts) skipped += halt.skipped_ticks;
    EXPECT_EQ(run.result.guest_ticks, run.result.instructions + skipped);
    for (std::size_t i = 1; i < sink.transfers.size(); ++i) {
        std::uint64_t before = 0;
        for (const Halt& halt : sink.halts)
            if (halt.index <= sink.transfers[i].transfer.index && halt.index > sink.transfers[i - 1].transfer.index)
                before += halt.skipped_ticks;
        EXPECT_EQ(sink.transfers[i].transfer.index - sink.transfers[i - 1].transfer.index + before, 60000u);
    }
}

TEST(UnicornInterrupts, JitterFollowsFromTheSeed) {
    std::set<std::uint64_t> places;
    const Outcome plain = run_guest("clock", {.command_line = "o"});
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Outcome a = run_guest("clock", {.command_line = "o", .seed = seed, .jitter = true});
        const Outcome b = run_guest("clock", {.command_line = "o", .seed = seed, .jitter = true});
        ASSERT_EQ(a.result.interrupts_at, b.result.interrupts_at);
        ASSERT_GE(a.result.interrupts_at[0], plain.result.interrupts_at[0]);
        ASSERT_LT(a.result.interrupts_at[0], plain.result.interrupts_at[0] + 1024);
        places.insert(a.result.interrupts_at[0]);
    }
    EXPECT_GT(places.size(), 15u);
}

// A model of three cycles an instruction: the guest's clock is what the model says, and only what was told counts.
TEST(UnicornInterrupts, TheCycleClockAsksTheModel) {
    CheckingSink sink;
    RunConfig config{.command_line = "o", .clock = Clock::cycles, .events = &sink};
    config.modelled_cycles = [&] { return sink.retired * 3; };
    const Outcome run = run_guest("clock", config);
    EXPECT_EQ(run.result.stop, StopReason::power_off);
    EXPECT_EQ(run.result.guest_ticks, run.result.instructions * 3);
    const Outcome plain = run_guest("clock", {.command_line = "o"});
    EXPECT_LT(run.result.instructions, plain.result.instructions) << "the deadline comes after fewer instructions";
}

}  // namespace
}  // namespace sim::test
