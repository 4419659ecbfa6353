// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev sim --engine qemu: the same figures as in Unicorn, what it cannot do, and how it ends when something dies.
#include <map>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using Qemu = CommandTest;
using Json = nlohmann::json;

// Shell text: $QEMU is the QEMU of exo-dev $P that runs the guest (a guard is between them; the first one is only asked
// for its version). A minute is enough on any machine.
constexpr const char* find_qemu =
    "QEMU=; for i in $(seq 600); do for g in $(cat /proc/$P/task/*/children); do "  // guards: of the program, of the
                                                                                    // folder
    "for c in $(cat /proc/$g/task/$g/children); do grep -q -e -plugin /proc/$c/cmdline && QEMU=$c; done; done; "
    "[ -n \"$QEMU\" ] && break; sleep 0.1; done 2>/dev/null; ";

std::map<std::string, Json> instructions_by_mark(const std::string& report) {
    std::map<std::string, Json> marks;
    const Json json = Json::parse(report);
    for (const Json& mark : json["marks"]) marks[mark["name"]] = mark;
    return marks;
}

// What does not depend on time or on the machine costs the same number of instructions. Not compared: the boot (the
// timer is calibrated, the memory map is another) and the steps of the tour as a whole (preempted at other places).
TEST_F(Qemu, SameInstructionCountsAsUnicorn) {
    const Result qemu = shell("$DEV sim --engine qemu --no-trace --json");
    ASSERT_EQ(qemu.status, 0) << qemu.err;
    const Result unicorn = shell("$DEV sim --no-trace --json");
    ASSERT_EQ(unicorn.status, 0) << unicorn.err;
    const auto told = instructions_by_mark(qemu.out), expected = instructions_by_mark(unicorn.out);
    EXPECT_EQ(told.size(), expected.size());
    for (const char* name :
         {"kernel.ring_round_trip", "user.call_reply", "user.ring_send", "kernel.allocate_free_64", "user.null_call"}) {
        ASSERT_TRUE(told.contains(name) && expected.contains(name)) << name;
        EXPECT_EQ(told.at(name)["count"], expected.at(name)["count"]) << name;
        for (const char* figure : {"min", "median"})
            EXPECT_EQ(told.at(name)["instructions"][figure], expected.at(name)["instructions"][figure]) << name;
    }
}

TEST_F(Qemu, RunsAreTheSameToTheByte) {
    const std::string sim = "$DEV sim --engine qemu --entry pvh --kernel $COMPUTE --json --trace ";
    const Result both =
        shell("set -e; " + sim + "a > /dev/null & first=$!; " + sim + "b > /dev/null; wait $first; cmp a b");
    EXPECT_EQ(both.status, 0) << both.err;
    EXPECT_EQ(shell("$DEV trace info a").status, 0);
    const std::string two = "$DEV sim --engine qemu --cpus 2 --trace ";
    const Result cpus =
        shell("set -e; " + two + "c > /dev/null & first=$!; " + two + "d > /dev/null; wait $first; cmp c d");
    EXPECT_EQ(cpus.status, 0) << cpus.err;
}

TEST_F(Qemu, WhatItCannotDoIsNamed) {
    for (const auto& [option, capability] : std::map<std::string, std::string>{{"--irq-at 1000", "exact placement"},
                                                                               {"--jitter", "exact placement"},
                                                                               {"--clock cycles", "timing model"},
                                                                               {"--entry multiboot2", "by PVH"},
                                                                               {"--quantum 50", "turns"}}) {
        const Result refused = shell("$DEV sim --engine qemu --no-trace " + option);
        EXPECT_EQ(refused.status, 4) << option;
        EXPECT_NE(refused.err.find("qemu"), std::string::npos) << refused.err;
        EXPECT_NE(refused.err.find(capability), std::string::npos) << refused.err;
        EXPECT_EQ(refused.out, "") << option;
    }
    const Result missing = shell("PATH=/nowhere $DEV sim --engine qemu --no-trace");
    EXPECT_EQ(missing.status, 4);
    EXPECT_NE(missing.err.find("qemu-system-x86"), std::string::npos) << missing.err;
}

TEST_F(Qemu, EndsHaveTheirStatus) {
    const std::string sim = "$DEV sim --engine qemu --no-trace --kernel $ENDS --cmdline ";
    EXPECT_EQ(shell(sim + "f").status, 3);
    const Result fault = shell(sim + "t");
    EXPECT_EQ(fault.status, 3);
    for (const char* part : {"triple-fault", "could not be delivered"})
        EXPECT_NE(fault.err.find(part), std::string::npos) << fault.err;
    const Result asleep = shell(sim + "h");
    EXPECT_EQ(asleep.status, 3);
    EXPECT_NE(asleep.err.find("halted-for-ever"), std::string::npos) << asleep.err;
    const Result limit = shell(sim + "s --limit 100000 --json");
    EXPECT_EQ(limit.status, 5);
    EXPECT_EQ(Json::parse(limit.out)["instructions"], 100'000);
}

TEST_F(Qemu, AKilledQemuIsNamed) {
    const Result killed =
        shell("$DEV sim --engine qemu --trace t --limit 2000000000 --kernel $ENDS --cmdline s > /dev/null & P=$!; " +
              std::string(find_qemu) + "sleep 1; kill -KILL $QEMU; wait $P");
    EXPECT_EQ(killed.status, 4) << killed.err;
    EXPECT_NE(killed.err.find("signal 9"), std::string::npos) << killed.err;
    EXPECT_EQ(shell("$DEV trace info t").status, 0);
}

TEST_F(Qemu, NothingOutlivesAKilledReader) {
    const Result killed =
        shell("$DEV sim --engine qemu --no-trace --limit 2000000000 --kernel $ENDS --cmdline s > /dev/null & P=$!; " +
              std::string(find_qemu) +
              "sleep 1; kill -KILL $P; for i in $(seq 600); do [ -e /proc/$QEMU ] || exit 0; sleep 0.1; done; exit 9");
    EXPECT_EQ(killed.status, 0) << killed.err;
    EXPECT_NE(shell("ls /dev/shm | grep exo").status, 0);
}

}  // namespace
