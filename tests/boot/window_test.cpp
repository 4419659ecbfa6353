// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev sim --engine bochs: a window is the same instructions as in Unicorn, and what cannot be asked for.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "command.hpp"

namespace {

using Window = CommandTest;
using Json = nlohmann::json;

TEST_F(Window, BehindTheLastMarkIsAFailureAndSaysWhy) {
    const Result run =
        shell("$DEV sim --engine bochs --window kernel.ring_round_trip:100000 --no-trace --kernel $KERNEL");
    EXPECT_EQ(run.status, 1) << run.err;
    EXPECT_NE(run.err.find("switched the machine off before the window"), std::string::npos) << run.err;
}

// What an instruction is and touches; stacks and page frames lie elsewhere, at the same places of their pages.
std::vector<std::string> instructions(const std::string& lines) {
    std::vector<std::string> all;
    for (std::istringstream in(lines); in;) {
        std::string line;
        std::getline(in, line);
        if (line.empty()) continue;
        const Json json = Json::parse(line);
        if (!json.contains("address")) continue;
        std::string one = json["address"].get<std::string>() + " " + json["bytes"].get<std::string>();
        for (const Json& access : json["accesses"]) {
            const std::uint64_t at = std::stoull(access["virtual"].get<std::string>(), nullptr, 16);
            one += " " + access["kind"].get<std::string>() + " " + access["size"].dump() + " at " +
                   std::to_string(at % 4096) + (access["device"].get<bool>() ? " of a device" : "");
        }
        all.push_back(one);
    }
    return all;
}

TEST_F(Window, SameInstructionsAndAccessesAsUnicorn) {
    const Result bochs = shell("$DEV sim --engine bochs --window user.null_call:3 --trace b.trace --kernel $KERNEL");
    ASSERT_EQ(bochs.status, 0) << bochs.err;
    ASSERT_EQ(shell("$DEV sim --trace u.trace --kernel $KERNEL").status, 0);
    auto told = instructions(shell("$DEV trace show b.trace --count 1000 --accesses --json").out);
    const auto expected = instructions(shell("$DEV trace show u.trace --mark user.null_call:3 --accesses --json").out);
    ASSERT_GT(told.size(), 50u);
    told.pop_back();  // the one at the end mark
    EXPECT_EQ(told, expected);
}

// In the tour's preemption the timer interrupts programs: they come back to where they were.
TEST_F(Window, AnInterruptLeadsToItsHandler) {
    const Result run = shell(
        "$DEV sim --engine bochs --window tour.preemption --count 300000 --trace b.trace --kernel $KERNEL && "
        "$DEV trace show b.trace --count 300000 --json | grep -A 1 '\"event\":\"interrupt\"' > after; "
        "grep -c trap_stubs after; grep -c '\"event\"' after");
    std::istringstream counts(
        run.out.substr(run.out.find_last_of('\n', run.out.find_last_of('\n', run.out.size() - 2) - 1) + 1));
    int handlers = 0, interrupts = 0;
    counts >> handlers >> interrupts;
    EXPECT_GT(interrupts, 0) << run.err;
    EXPECT_EQ(handlers, interrupts);
}

TEST_F(Window, WhatCannotBeAskedForIsNamed) {
    const auto refused = [&](const std::string& options, int status, const std::string& why) {
        const Result result = shell("$DEV sim --no-trace --kernel $KERNEL " + options);
        EXPECT_EQ(result.status, status) << options;
        EXPECT_NE(result.err.find(why), std::string::npos) << options << ": " << result.err;
    };
    refused("--engine bochs", 2, "--window");
    refused("--engine bochs --window user.nul_call", 2, "user.null_call");
    refused("--engine bochs --window boot:0", 2, "--window boot:0");
    refused("--window boot", 2, "--engine bochs only");
    const std::string window = "--engine bochs --window boot ";
    refused(window + "--irq-at 1000", 4, "exact placement");
    refused(window + "--jitter", 4, "exact placement");
    refused(window + "--clock cycles", 4, "timing model");
    refused(window + "--cpus 2", 4, "several CPUs");
    refused(window + "--entry pvh", 4, "multiboot2");
}

// What all engines have is equal; a CPU feature that Bochs alone turns on is found.
TEST_F(Window, BochsIsComparedAtMarks) {
    const Result same = shell("$DEV lockstep --marks bochs --json --kernel $KERNEL");
    EXPECT_EQ(same.status, 0) << same.err;
    const Json marks = Json::parse(same.out)["marks"];
    EXPECT_GT(marks["stops_compared"], 25) << marks;
    EXPECT_GT(marks["counts_compared"], 3) << marks;
    EXPECT_FALSE(marks.contains("difference")) << marks;
    const Result other = shell(
        "$DEV lockstep --marks bochs --each 1 --cpu corei7_icelake_u --cmdline features=smep,smap,pge,umip --json "
        "--kernel $KERNEL");
    EXPECT_EQ(other.status, 1) << other.err;
    EXPECT_NE(other.err.find("cr4"), std::string::npos) << other.err;
}

}  // namespace
