// SPDX-License-Identifier: GPL-2.0-or-later
// Pure parts of the output: numbers, tables, mark windows.
#include <gtest/gtest.h>

#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/extra_interrupts.hpp>
#include <devenv/mark_window.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/self_bench_report.hpp>
#include <devenv/view/spending_report.hpp>
#include <devenv/view/table.hpp>
#include <limits>
#include <sstream>

namespace devenv {
namespace {

TEST(Format, Numbers) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(signed_grouped(-1234), "-1,234");
    EXPECT_EQ(signed_grouped(5), "+5");
    EXPECT_EQ(signed_grouped(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
    EXPECT_EQ(percent(1, 0), "-");
    EXPECT_EQ(percent(1, 8), "12.5 %");
    EXPECT_EQ(signed_percent(0, 3), "new");
    EXPECT_EQ(signed_percent(100, 90), "-10.0 %");
    EXPECT_EQ(byte_size(1023), "1023 B");
    EXPECT_EQ(byte_size(1536), "1.5 KiB");
}

TEST(Format, ShortenKeepsBothEnds) {
    EXPECT_EQ(shorten("short", 10), "short");
    const std::string cut = shorten("exo::very_long_name_of_a_function", 12);
    EXPECT_EQ(columns(cut), 12u);
    EXPECT_TRUE(cut.starts_with("exo"));
    EXPECT_TRUE(cut.ends_with("function"));
}

TEST(Table, AlignsAndFills) {
    Table table({{"name", Align::left}, {"n"}});
    table.row({"a", "100"});
    table.row({"long"});
    EXPECT_EQ(table.text({}), "  name    n\n  a     100\n  long\n");
}

TEST(Table, FitsANarrowTerminal) {
    Table table({{"name", Align::left}, {"n"}, {"note", Align::left, true}});
    table.row({"a_function_with_a_long_name", "100", "some words"});
    const std::string whole = table.text({});
    EXPECT_NE(whole.find("a_function_with_a_long_name  100  some words"), std::string::npos) << whole;
    const std::string shorter = table.text({.width = 40});
    EXPECT_NE(shorter.find("…"), std::string::npos) << shorter;
    EXPECT_NE(shorter.find("some words"), std::string::npos) << shorter;
    const std::string narrow = table.text({.width = 25});
    EXPECT_EQ(narrow.find("some words"), std::string::npos) << narrow;
    EXPECT_NE(narrow.find("100"), std::string::npos) << narrow;
    for (const std::string& text : {shorter, narrow}) {
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 40u) << line;
    }
    EXPECT_NE(table.text({.width = 1}).find("100"), std::string::npos);  // too narrow for anything: no crash
}

TEST(Format, WrapsAtSpaces) {
    EXPECT_EQ(wrapped("  key  one two three", 0, 7), "  key  one two three");
    EXPECT_EQ(wrapped("  key  one two three", 14, 7), "  key  one two\n       three");
    EXPECT_EQ(wrapped("  key  unbreakable_word", 10, 7), "  key  unbreakable_word");
    EXPECT_EQ(wrapped("", 10, 7), "");
}

TEST(SelfBenchReport, RatiosAreToTheFirstThatRan) {
    const SelfBenchReport report{.rows = {{"a", Speed{100, 200}, {}, {}},
                                          {"b", Speed{50, 100}, {}, Speed{30, 40}},
                                          {"c", Speed{25, 50}, Speed{14, 16}, Speed{5, 6}}},
                                 .hot_marks = {"m"},
                                 .batches = 3};
    const Json json = self_bench_json(report);
    EXPECT_EQ(json["rows"][1]["loop"]["ratio"], 0.5);
    EXPECT_TRUE(json["rows"][0]["image"].is_null());
    EXPECT_EQ(json["rows"][2]["image"]["ratio"], 0.15);
    EXPECT_EQ(json["bars"][0]["met"], true);   // 15: judged by CPU time
    EXPECT_EQ(json["bars"][1]["met"], false);  // 8
    const std::string text = self_bench_text(report, {});
    EXPECT_NE(text.find("bar 15: met"), std::string::npos) << text;
    EXPECT_NE(text.find("bar 8: not met"), std::string::npos) << text;
}

TEST(StreamReport, TheSlowerProcessIsJudged) {
    const StreamReport report{.rows = {{"alone", StreamSpeed{300, 310, {}}, {}, false},
                                       {"timed", StreamSpeed{15, 100, 21}, StreamSpeed{15, 19, 30}, true}},
                              .start_up_s = 0.25};
    const Json json = stream_bench_json(report);
    EXPECT_TRUE(json["rows"][0]["image"].is_null());
    EXPECT_TRUE(json["rows"][0]["loop"]["exo_dev_cpu"].is_null());
    ASSERT_EQ(json["bars"].size(), 2u);
    EXPECT_EQ(json["bars"][0]["met"], true);  // by CPU time: 21
    EXPECT_EQ(json["bars"][0]["cpu"], 21.0);
    EXPECT_EQ(json["bars"][1]["met"], false);  // 19
    const std::string text = stream_bench_text(report, {});
    EXPECT_NE(text.find("bar 20, timed: met (21.0"), std::string::npos) << text;
    EXPECT_NE(text.find("bar 20, timed: not met (19.0"), std::string::npos) << text;
    EXPECT_NE(stream_bench_text({.rows = {}, .missing = "not there"}, {}).find("not there"), std::string::npos);
}

TEST(SpendingReport, SaysWhatCyclesWereSpentOn) {
    sim::Spending spent{.instructions = 100, .cycles = 200};
    spent.by_wait[static_cast<std::size_t>(sim::Wait::none)] = 50;
    spent.by_wait[static_cast<std::size_t>(sim::Wait::front_end)] = 20;
    spent.by_wait[static_cast<std::size_t>(sim::Wait::dependency)] = 130;
    EXPECT_EQ(main_wait(spent), "dependency 65 %");
    EXPECT_EQ(main_wait({}), "");
    EXPECT_EQ(waits_text(spent), "dependency 65.0 %, base 25.0 %, front end 10.0 %");
    EXPECT_EQ(waits_json(spent).dump(), R"({"base":50,"front_end":20,"dependency":130})");
    sim::MarkSummary mark;
    mark.name = "step";
    mark.all = spent;
    const std::string table = stack_table({mark}, {{spent, "function", 0x1000}}, 5, {});
    for (const char* part : {"step", "function", "CPI", "2.00", "65.0", "25.0", "10.0", "front", "depend"})
        EXPECT_NE(table.find(part), std::string::npos) << part << table;
    EXPECT_EQ(table.find("memory"), std::string::npos) << table;  // no row has any
}

TEST(SpendingReport, SaysWhatMissedAndWhatCyclesRestOn) {
    sim::Spending spent{.instructions = 4000, .cycles = 200, .less = 10, .more = 20};
    spent.by_provenance[static_cast<std::size_t>(sim::Provenance::measured)] = 50;
    spent.by_provenance[static_cast<std::size_t>(sim::Provenance::scheduling)] = 120;
    spent.by_provenance[static_cast<std::size_t>(sim::Provenance::estimate)] = 30;
    spent.misses[static_cast<std::size_t>(sim::Miss::l1_data)] = 50;
    spent.misses[static_cast<std::size_t>(sim::Miss::mispredict)] = 5;
    spent.accesses = 900;
    EXPECT_EQ(provenance_text(spent), "LLVM 60.0 %, measured 25.0 %, estimate 15.0 %");
    EXPECT_EQ(provenance_text({}), "nothing");
    EXPECT_EQ(provenance_json(spent).dump(), R"({"measured":50,"estimate":30,"llvm":120})");
    EXPECT_EQ(misses_text(spent), "L1D 12.50, mispredict 1.25 of 1,000 instructions");
    EXPECT_EQ(misses_text({}), "none");
    EXPECT_EQ(misses_json(spent)["accesses"], 900);
    EXPECT_EQ(misses_json(spent)["l1_data"], 50);
    sim::MarkSummary mark;
    mark.name = "step";
    mark.all = spent;
    const std::string misses = misses_table({mark}, {{spent, "function", 0x1000}}, 5, {});
    for (const char* part : {"step", "function", "12.50", "1.25", "L1D", "mispredict"})
        EXPECT_NE(misses.find(part), std::string::npos) << part << misses;
    EXPECT_EQ(misses.find("L1I"), std::string::npos) << misses;  // no row has any
    const std::string sources = provenance_table({mark}, {{spent, "function", 0x1000}}, 5, {});
    for (const char* part : {"step", "function", "LLVM", "60.0", "200 (190-220)"})
        EXPECT_NE(sources.find(part), std::string::npos) << part << sources;
    EXPECT_EQ(sources.find("placeholder"), std::string::npos) << sources;
}

TEST(SpendingReport, SaysHowSureItIs) {
    EXPECT_EQ(ranged(214, 0, 0), "214");
    EXPECT_EQ(ranged(1214, 34, 96), "1,214 (1,180-1,310)");
    EXPECT_EQ(ranged(10, 20, 0), "10 (0-10)");
    EXPECT_EQ(certainty_text({.cycles = 100}), "nothing rests on estimates");
    EXPECT_EQ(certainty_text({.cycles = 200, .placeholder_cycles = 50}), "25.0 % rest on estimates");
    EXPECT_EQ(certainty_text({.cycles = 200, .placeholder_cycles = 50, .less = 20, .more = 30}),
              "25.0 % rest on estimates: 180-230");
    std::vector<sim::MarkSummary> marks(2);
    marks[0].all = {.cycles = 100, .placeholder_cycles = 10};
    marks[1].all = {.cycles = 100, .placeholder_cycles = 11};
    ASSERT_EQ(guessed_marks(marks, 10).size(), 1u);
    EXPECT_EQ(guessed_marks(marks, 10)[0], &marks[1]);
    EXPECT_TRUE(guessed_marks({{}}, 0).empty());
}

TEST(FunctionsTable, EqualNamesHaveTheirAddress) {
    const std::vector<sim::FunctionSummary> functions = {{{.instructions = 1, .cycles = 30}, "exo::log<...>", 0x1000},
                                                         {{.instructions = 1, .cycles = 20}, "other", 0x3000},
                                                         {{.instructions = 1, .cycles = 10}, "exo::log<...>", 0x2000}};
    const std::string text = functions_table(functions, 60, 3, {});
    for (const char* part : {"exo::log<...>@0x1000 ", "exo::log<...>@0x2000 ", "other "})
        EXPECT_NE(text.find(part), std::string::npos) << part << text;
}

TEST(ExtraInterrupts, MaskedOnesAreDeliveredLaterOrNever) {
    sim::RunResult run;
    run.instructions = 1000;
    run.interrupts_at = {100, 250, 600};
    run.irq_at_ignored = {50};
    const std::vector<std::uint64_t> asked = {700, 50, 100, 200, 1000};
    const auto fates = extra_interrupts(asked, run);
    ASSERT_EQ(fates.size(), asked.size());
    for (std::size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(fates[i].at, asked[i]);
    EXPECT_EQ(fates[0].reason, "interrupts stayed masked until the end");
    EXPECT_EQ(fates[1].reason, "the timer was masked or not set up then");
    EXPECT_EQ(fates[2].delivered_at, 100u);
    EXPECT_EQ(fates[3].delivered_at, 250u);
    EXPECT_EQ(fates[4].reason, "the run ended before it");
    run.interrupts_at.assign(1 << 16, 300);
    EXPECT_NE(extra_interrupts(asked, run)[0].reason.find("not known"), std::string::npos);
}

TEST(MarkChoice, Parses) {
    EXPECT_EQ(parse_mark_choice("boot").number, 1u);
    EXPECT_EQ(parse_mark_choice("boot:3").number, 3u);
    EXPECT_THROW(parse_mark_choice("boot:0"), Failure);
    EXPECT_THROW(parse_mark_choice("boot:x"), Failure);
}

TEST(MarkWindow, HoldsTheWantedWindow) {
    using exo::abi::MarkKind;
    const std::vector<sim::Mark> marks = {{10, MarkKind::begin, "m"}, {20, MarkKind::end, "m"}};
    MarkWindow window(marks, {"m", 2});
    std::string held;
    for (const std::uint64_t address : {20u, 10u, 11u, 20u, 10u, 12u, 20u, 10u})
        held += window.holds(address) ? '1' : '0';
    EXPECT_EQ(held, "00001100");
    EXPECT_TRUE(window.over());
    EXPECT_THROW(MarkWindow(marks, {"other", 1}), Failure);
}

TEST(Failure, PageFaultReasons) {
    EXPECT_EQ(page_fault_reason(0), "read, not present, ring 0");
    EXPECT_EQ(page_fault_reason(7), "write, not allowed, ring 3");
    EXPECT_EQ(page_fault_reason(16), "fetch, not present, ring 0");
}

TEST(Failure, RegistersFit80Columns) {
    sim::Registers all{};
    std::memset(&all, 0xff, sizeof all);
    all.cr0 = all.cr3 = all.cr4 = all.efer = 0xffffffff;
    all.rflags = all.fs_base = 0xffffff;
    std::istringstream lines(registers_text(all));
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(columns(line), 80u) << line;
    EXPECT_EQ(count, 8u);
}

}  // namespace
}  // namespace devenv
