// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev lockstep as its user sees it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using Json = nlohmann::json;
struct LockstepCommand : CommandTest {};

TEST_F(LockstepCommand, TheTableIsInTheLimits) {
    const Result result = shell("$DEV lockstep --known --markdown");
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_GT(std::count(result.out.begin(), result.out.end(), '\n'), 10);
    EXPECT_NE(read(EXO_SOURCE "/docs/limits.md").find(result.out), std::string::npos)
        << "docs/limits.md has another table than `exo-dev lockstep --known --markdown` prints:\n"
        << result.out;
    const Json known = Json::parse(shell("$DEV lockstep --known --json").out);
    for (const Json& one : known["known_differences"]) {
        EXPECT_FALSE(one["reason"].get<std::string>().empty());
        EXPECT_FALSE(one["whose"].get<std::string>().empty());
    }
}

TEST_F(LockstepCommand, ALimitEndsBoth) {
    const Result result = shell("$DEV lockstep --kernel $KERNEL --limit 2000 --json");
    EXPECT_EQ(result.status, 5) << result.err;
    const Json report = Json::parse(result.out);
    EXPECT_EQ(report["instructions"], 2000);
    EXPECT_GE(report["states_compared"], 2000);
    EXPECT_FALSE(report.contains("difference"));
}

TEST_F(LockstepCommand, SequencesAreToldOneByOne) {
    const Result result = shell("$DEV lockstep --sequences 38 --seed 5 --json");
    EXPECT_EQ(result.status, 0) << result.err;
    const Json report = Json::parse(result.out);
    ASSERT_EQ(report["sequences"].size(), 38u);
    for (const Json& one : report["sequences"]) EXPECT_EQ(one["result"], "equal") << one;
}

TEST_F(LockstepCommand, WhatCannotLeadIsRefused) {
    const Result no_note = shell("LC_ALL=C sed 's/Xen\\x00/Yen\\x00/' $COMPUTE > note; $DEV lockstep --kernel note");
    EXPECT_EQ(no_note.status, 2);
    EXPECT_NE(no_note.err.find("PVH"), std::string::npos) << no_note.err;
    const Result no_qemu = shell("PATH=/nonexistent $DEV lockstep --kernel $KERNEL");
    EXPECT_EQ(no_qemu.status, 4);
    EXPECT_NE(no_qemu.err.find("qemu-system-x86"), std::string::npos) << no_qemu.err;
    EXPECT_EQ(shell("$DEV lockstep --leader bochs").status, 2);
    EXPECT_EQ(shell("$DEV lockstep --states gdb").status, 2);
    EXPECT_EQ(shell("$DEV lockstep --limit 0").status, 2);
}

TEST_F(LockstepCommand, AKilledLeaderIsNoDifference) {
    for (const std::string signal : {"KILL", "TERM"}) {
        // Once the kernel speaks: it is entered, and seconds from its end.
        const Result result = shell(
            "$DEV lockstep --kernel $KERNEL --cmdline killed=$$ > console & exo=$!; "
            "for i in $(seq 300); do [ -s console ] && break; sleep 0.1; done; "
            "pkill -" +
            signal + " -f \"[q]emu-system.*killed=$$\"; wait $exo");
        EXPECT_EQ(result.status, 4) << result.err;
        EXPECT_NE(result.err.find("signal"), std::string::npos) << result.err;
        EXPECT_EQ(result.err.find("a difference"), std::string::npos) << result.err;
    }
}

TEST_F(LockstepCommand, NothingIsLeftBehind) {
    const Result result = shell(
        "timeout -s INT 3 $DEV lockstep --kernel $KERNEL --cmdline marker=$$ > /dev/null; ! pgrep -f \"[m]arker=$$\"");
    EXPECT_EQ(result.status, 0) << result.err;
}

}  // namespace
