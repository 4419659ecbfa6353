// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <devenv/comparison.hpp>
#include <devenv/view/comparison_report.hpp>

namespace devenv {
namespace {

sim::MarkSummary mark(const char* name, std::uint64_t count, std::uint64_t cycles) {
    sim::MarkSummary m;
    m.name = name;
    m.count = count;
    m.cycles = {cycles, cycles, cycles, cycles * count};
    m.instructions = {10, 10, 10, 10 * count};
    return m;
}

sim::FunctionSummary function(const char* name, std::uint64_t cycles) {
    sim::FunctionSummary f;
    f.name = name;
    f.instructions = cycles / 2;
    f.cycles = cycles;
    return f;
}

TEST(Comparison, OmitsWhatIsEqual) {
    const Costs costs{{100, 200}, {mark("m", 2, 50)}, {function("f", 100)}};
    EXPECT_TRUE(compare(costs, costs).same());
}

TEST(Comparison, LargestChangeFirst) {
    const Costs before{
        {0, 0}, {mark("a", 1, 10), mark("b", 1, 100), mark("gone", 1, 5)}, {function("f", 10), function("g", 10)}};
    const Costs after{
        {0, 0}, {mark("a", 1, 11), mark("b", 1, 50), mark("new", 1, 7)}, {function("f", 12), function("g", 1000)}};
    const Comparison c = compare(before, after);
    ASSERT_EQ(c.marks.size(), 4u);
    EXPECT_EQ(c.marks[0].name, "b");
    EXPECT_EQ(c.marks[1].name, "new");
    EXPECT_EQ(c.marks[1].count_before, 0u);
    EXPECT_EQ(c.marks[2].name, "gone");
    EXPECT_EQ(c.marks[3].name, "a");
    EXPECT_EQ(c.functions[0].name, "g");
}

TEST(Comparison, SaysOnWhatMoreWasSpent) {
    sim::FunctionSummary before = function("f", 100), after = function("f", 130);
    const auto memory = static_cast<std::size_t>(sim::Wait::memory), unit = static_cast<std::size_t>(sim::Wait::unit);
    before.by_wait[memory] = 40, before.by_wait[unit] = 60;
    after.by_wait[memory] = 90, after.by_wait[unit] = 40;
    const Comparison c = compare({{50, 100}, {}, {before}}, {{65, 130}, {}, {after}});
    const std::string text = comparison_text(c, {"a", "b", {}, 10}, {});
    EXPECT_NE(text.find("memory +50"), std::string::npos) << text;
    EXPECT_EQ(comparison_json(c, {"a", "b", {}, 10})["functions"][0]["waits"].dump(), R"({"unit":-20,"memory":50})");
}

TEST(Comparison, FunctionsOfOneNameAreOneLine) {
    const Comparison c = compare({{}, {}, {function("f", 10), function("f", 20)}}, {{}, {}, {function("f", 40)}});
    ASSERT_EQ(c.functions.size(), 1u);
    EXPECT_EQ(c.functions[0].before.cycles, 30u);
}

TEST(Comparison, ThresholdLooksAtMediansOfBoth) {
    const Costs before{{}, {mark("a", 1, 100), mark("b", 1, 100)}, {}};
    const Costs after{{}, {mark("a", 1, 102), mark("b", 1, 110), mark("new", 1, 999)}, {}};
    EXPECT_EQ(slower_marks(compare(before, after), 5), std::vector<std::string>{"b"});
    EXPECT_EQ(slower_marks(compare(before, after), 1).size(), 2u);
}

}  // namespace
}  // namespace devenv
