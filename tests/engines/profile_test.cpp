// SPDX-License-Identifier: GPL-2.0-or-later
// Marks and functions, on one block of eight instructions that take 1, 2, 4 ... cycles.
#include <gtest/gtest.h>

#include <numeric>

#include "synthetic.hpp"

namespace {

using namespace sim;
using exo::abi::MarkKind;
using synthetic::kernel_base;

class ProfileTest : public testing::Test {
  protected:
    ProfileTest() {
        synthetic::CodeBuilder builder(0, kernel_base);
        for (int i = 0; i < 8; ++i) builder.nop();
        code_ = builder.take();
        for (std::uint32_t i = 0; i < 8; ++i) times_[i] = {1u << i, i == 7 ? 100u : 0u};
        image_.functions = {{kernel_base, "first"}, {kernel_base + 3, "second"}};
    }
    void mark(std::uint64_t offset, MarkKind kind, const char* name) {
        image_.all_marks.push_back({kernel_base + offset, kind, name});
    }
    Profile& profile() {
        if (!profile_) {
            profile_ = make_profile(image_);
            profile_->on_code(code_);
        }
        return *profile_;
    }
    void run(std::uint32_t first = 0, std::uint32_t count = 8) {
        profile().on_block({0, &code_, first, count, index_, false, {}}, std::span(times_).subspan(first, count));
        index_ += count;
    }
    MarkSummary only() {
        auto all = profile().marks();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? MarkSummary{} : all[0];
    }

    synthetic::FakeImage image_;
    CodeBlock code_;
    RetireTime times_[8];
    std::unique_ptr<Profile> profile_;
    InstructionIndex index_ = 0;
};

TEST_F(ProfileTest, AMarkHitsBeforeItsInstruction) {
    mark(2, MarkKind::begin, "step");
    mark(5, MarkKind::end, "step");
    run();
    EXPECT_EQ(only().count, 1u);
    EXPECT_EQ(only().cycles.median, 4u + 8 + 16);
    EXPECT_EQ(only().instructions.median, 3u);
    EXPECT_EQ(only().first_index, 2u);
}

TEST_F(ProfileTest, SpreadIsExact) {
    mark(0, MarkKind::begin, "step");
    mark(1, MarkKind::end, "step");
    for (std::uint32_t i = 1; i <= 200; ++i) {
        times_[0].cycles = i;
        run();
    }
    EXPECT_EQ(only().cycles.min, 1u);
    EXPECT_EQ(only().cycles.median, 100u);
    EXPECT_EQ(only().cycles.p99, 198u);
    EXPECT_EQ(only().cycles.total, 201u * 100);
    EXPECT_EQ(only().count, 200u);
}

TEST_F(ProfileTest, NestedBeginsMatchInnermostAndStrayEndsAreIgnored) {
    mark(0, MarkKind::end, "step");
    mark(1, MarkKind::begin, "step");
    mark(2, MarkKind::begin, "step");
    mark(3, MarkKind::end, "step");
    mark(6, MarkKind::end, "step");
    mark(7, MarkKind::end, "step");
    run();
    EXPECT_EQ(only().count, 2u);
    EXPECT_EQ(only().cycles.min, 4u);
    EXPECT_EQ(only().cycles.total, 4u + (2 + 4 + 8 + 16 + 32));
}

TEST_F(ProfileTest, AtOneAddressEndsComeBeforeBegins) {
    mark(4, MarkKind::begin, "step");
    mark(4, MarkKind::end, "step");
    run();
    run();
    run();
    EXPECT_EQ(only().count, 2u);
    EXPECT_EQ(only().cycles.min, 255u);
    EXPECT_EQ(only().instructions.median, 8u);
}

TEST_F(ProfileTest, AnInstructionThatFaultedHitsItsMarkOnlyWhenItRetires) {
    mark(0, MarkKind::begin, "step");
    mark(4, MarkKind::end, "step");
    run(0, 4);
    EXPECT_EQ(only().count, 0u);
    profile().on_transfer({0, 4, TransferKind::exception, 14, true, 0, 0, kernel_base + 3, 0}, {1000, 1000});
    run(4, 4);
    EXPECT_EQ(only().count, 1u);
    EXPECT_EQ(only().cycles.median, 1u + 2 + 4 + 8 + 1000);
}

TEST_F(ProfileTest, PointsCountAndMeasureTheirIntervals) {
    mark(3, MarkKind::point, "tick");
    for (int i = 0; i < 5; ++i) run();
    EXPECT_EQ(only().count, 5u);
    EXPECT_EQ(only().cycles.median, 255u);
    EXPECT_EQ(only().cycles.total, 4u * 255);
}

TEST_F(ProfileTest, MarksNeverHitAreLeftOutAndOrderIsThatOfFirstHits) {
    mark(5, MarkKind::begin, "later");
    mark(1, MarkKind::begin, "sooner");
    mark(100, MarkKind::begin, "never");
    run();
    auto all = profile().marks();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name, "sooner");
    EXPECT_EQ(all[1].name, "later");
}

TEST_F(ProfileTest, FunctionsShareABlock) {
    run();
    run(2, 3);
    profile().on_transfer({0, 11, TransferKind::interrupt, 32, false, 0, 0, kernel_base, 0}, {50, 40});
    auto all = profile().functions();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name, "second");
    EXPECT_EQ(all[0].instructions, 5u + 2);
    EXPECT_EQ(all[0].cycles, 8u + 16 + 32 + 64 + 128 + 8 + 16);
    EXPECT_EQ(all[0].placeholder_cycles, 100u);
    EXPECT_EQ(all[1].name, "first");
    EXPECT_EQ(all[1].instructions, 3u + 1);
    EXPECT_EQ(all[1].cycles, 1u + 2 + 4 + 4 + 50);
    EXPECT_EQ(profile().total().instructions, 11u);
    EXPECT_EQ(profile().total().cycles, all[0].cycles + all[1].cycles);
    EXPECT_EQ(profile().total().placeholder_cycles, 140u);
}

TEST_F(ProfileTest, CyclesAreSummedByWhatTheyWereSpentOn) {
    mark(2, MarkKind::begin, "step");
    mark(5, MarkKind::end, "step");
    times_[0].wait = Wait::front_end;
    times_[2].wait = times_[4].wait = Wait::dependency;
    times_[7].wait = Wait::memory;
    run();
    run();
    const auto at = [](const Spending& spent, Wait wait) { return spent.by_wait[static_cast<std::size_t>(wait)]; };
    EXPECT_EQ(at(only().all, Wait::dependency), 2u * (4 + 16));
    EXPECT_EQ(at(only().all, Wait::none), 2u * 8);
    EXPECT_EQ(only().all.cycles, only().cycles.total);
    EXPECT_EQ(only().all.instructions, 2u * 3);
    const auto all = profile().functions();
    ASSERT_EQ(all[0].name, "second");
    EXPECT_EQ(at(all[0], Wait::memory), 2u * 128);
    EXPECT_EQ(at(all[0], Wait::dependency), 2u * 16);
    EXPECT_EQ(at(all[1], Wait::front_end), 2u * 1);
    for (const FunctionSummary& function : all)
        EXPECT_EQ(std::accumulate(function.by_wait.begin(), function.by_wait.end(), 0ull), function.cycles);
    EXPECT_EQ(at(profile().total(), Wait::dependency), 2u * (4 + 16));
}

TEST_F(ProfileTest, MissesBelongToTheirInstructions) {
    mark(2, MarkKind::begin, "step");
    mark(5, MarkKind::end, "step");
    const auto at = [](const Spending& spent, Miss miss) { return spent.misses[static_cast<std::size_t>(miss)]; };
    const auto one = [](std::uint32_t instruction, Miss miss, std::uint32_t count) {
        InstructionMisses misses{instruction, {}};
        misses.counts[static_cast<std::size_t>(miss)] = count;
        return misses;
    };
    const InstructionMisses first[] = {one(1, Miss::l1_data, 7), one(3, Miss::l1_data, 2), one(5, Miss::l1_data, 40)};
    const Access accesses[] = {{1, AccessKind::load, 8, false, 0, 0}, {3, AccessKind::load, 8, false, 0, 0}};
    profile().on_block({0, &code_, 0, 8, 0, false, accesses}, times_, first);
    EXPECT_EQ(at(only().all, Miss::l1_data), 2u);
    EXPECT_EQ(only().all.accesses, 1u);
    // The branch at the end of "second" was wrong, which the next block knows.
    const InstructionMisses second[] = {one(InstructionMisses::before, Miss::mispredict, 1), one(0, Miss::l2, 3)};
    profile().on_block({0, &code_, 0, 3, 8, false, {}}, std::span(times_).first(3), second);
    const auto all = profile().functions();
    ASSERT_EQ(all[0].name, "second");
    EXPECT_EQ(at(all[0], Miss::l1_data), 42u);
    EXPECT_EQ(at(all[0], Miss::mispredict), 1u);
    EXPECT_EQ(at(all[1], Miss::l1_data), 7u);
    EXPECT_EQ(at(all[1], Miss::l2), 3u);
    EXPECT_EQ(all[1].accesses, 1u);
    EXPECT_EQ(at(profile().total(), Miss::l1_data), 49u);
    EXPECT_EQ(at(profile().total(), Miss::mispredict), 1u);
    EXPECT_EQ(profile().total().accesses, 2u);
}

TEST_F(ProfileTest, CyclesAreSummedByWhatTheyRestOn) {
    mark(2, MarkKind::begin, "step");
    mark(5, MarkKind::end, "step");
    for (RetireTime& time : times_) time.rests = Provenance::scheduling;
    times_[3] = {.cycles = 8, .placeholder_cycles = 5, .rests = Provenance::published, .guess = Provenance::estimate};
    times_[4] = {.cycles = 16, .placeholder_cycles = 16, .rests = Provenance::placeholder};
    times_[4].guess = Provenance::placeholder;
    run();
    const auto at = [](const Spending& spent, Provenance one) {
        return spent.by_provenance[static_cast<std::size_t>(one)];
    };
    EXPECT_EQ(at(only().all, Provenance::scheduling), 4u);
    EXPECT_EQ(at(only().all, Provenance::published), 3u);
    EXPECT_EQ(at(only().all, Provenance::estimate), 5u);
    EXPECT_EQ(at(only().all, Provenance::placeholder), 16u);
    const auto all = profile().functions();
    for (const FunctionSummary& function : all)
        EXPECT_EQ(std::accumulate(function.by_provenance.begin(), function.by_provenance.end(), 0ull), function.cycles);
    profile().on_transfer({0, 8, TransferKind::interrupt, 32, false, 0, 0, kernel_base, 0},
                          {.cycles = 50, .placeholder_cycles = 40, .rests = Provenance::measured});
    EXPECT_EQ(at(profile().total(), Provenance::estimate), 5u + 40 + 100);
    EXPECT_EQ(at(profile().total(), Provenance::measured), 10u);
}

TEST_F(ProfileTest, ATransferIsSpentOnItsCause) {
    run(0, 4);
    profile().on_transfer({1, 4, TransferKind::interrupt, 32, false, 0, 0, kernel_base, 0},
                          {.cycles = 50, .placeholder_cycles = 40, .less = 5, .more = 60, .wait = Wait::serialisation});
    EXPECT_EQ(profile().total().by_wait[static_cast<std::size_t>(Wait::serialisation)], 50u);
    EXPECT_EQ(profile().total().less, 5u);
    EXPECT_EQ(profile().total().more, 60u);
}

TEST_F(ProfileTest, TheMedianHasTheRangeOfItsSample) {
    mark(0, MarkKind::begin, "step");
    mark(1, MarkKind::end, "step");
    for (std::uint32_t i = 1; i <= 5; ++i) {
        times_[0] = {.cycles = 10 * i, .placeholder_cycles = i, .less = i, .more = 2 * i};
        run();
    }
    EXPECT_EQ(only().cycles.median, 30u);
    EXPECT_EQ(only().median_less, 3u);
    EXPECT_EQ(only().median_more, 6u);
    EXPECT_EQ(only().all.less, 15u);
    EXPECT_EQ(only().all.more, 30u);
    EXPECT_DOUBLE_EQ(only().all.guessed_share(), 0.1);
    times_[0] = {.cycles = 30, .placeholder_cycles = 1, .less = 1, .more = 1};  // as long, but surer
    run();
    EXPECT_EQ(only().median_less, 1u);
    EXPECT_EQ(only().median_more, 1u);
}

TEST_F(ProfileTest, RangesThatComeLateBelongToTheirSamples) {
    mark(0, MarkKind::begin, "step");
    mark(1, MarkKind::end, "step");
    times_[0] = {.cycles = 10};
    run();
    run();
    EXPECT_EQ(only().median_less, 0u);
    times_[0] = {.cycles = 5, .placeholder_cycles = 5, .less = 4, .more = 4};
    for (int i = 0; i < 3; ++i) run();
    EXPECT_EQ(only().cycles.median, 5u);
    EXPECT_EQ(only().median_less, 4u);
}

TEST_F(ProfileTest, CodeWithoutSymbolsHasAName) {
    image_.functions.clear();
    run();
    ASSERT_EQ(profile().functions().size(), 1u);
    EXPECT_EQ(profile().functions()[0].name, "(unknown)");
}

}  // namespace
