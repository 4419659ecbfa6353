// SPDX-License-Identifier: GPL-2.0-or-later
// Pure parts of the output: numbers, tables, mark windows.
#include <gtest/gtest.h>

#include <devenv/exit_status.hpp>
#include <devenv/mark_window.hpp>
#include <devenv/subprocess.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/table.hpp>
#include <limits>

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

TEST(Subprocess, StatusOutputAndTime) {
    const ChildResult done = run_child({.arguments = {"sh", "-c", "echo out; echo err >&2; exit 7"}, .folder = {}});
    EXPECT_EQ(done.status, 7);
    EXPECT_EQ(done.output, "out\n");
    EXPECT_EQ(done.errors, "err\n");
    EXPECT_TRUE(run_child({.arguments = {"sleep", "60"}, .folder = {}, .timeout_s = 0.1}).timed_out);
    EXPECT_THROW(run_child({.arguments = {"/no/such/program"}, .folder = {}}), Failure);
    EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc");
}

}  // namespace
}  // namespace devenv
