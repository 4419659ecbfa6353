// SPDX-License-Identifier: GPL-2.0-or-later
// What a user can get wrong: each has its exit status and a message that names the cause, and none a crash.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using BadInput = CommandTest;

TEST_F(BadInput, HelpIsAnsweredWithExamples) {
    for (const char* command : {"sim", "run", "trace show", "trace info", "diff", "bench", "time"}) {
        const Result help = shell("$DEV " + std::string(command) + " --help");
        EXPECT_EQ(help.status, 0) << command;
        EXPECT_NE(help.out.find("Examples:"), std::string::npos) << command;
        EXPECT_EQ(help.err, "") << command;
    }
}

TEST_F(BadInput, UsageErrorsAreTwo) {
    for (const char* line :
         {"$DEV", "$DEV nonsense", "$DEV sim --nonsense", "$DEV sim --limit 0", "$DEV sim --limit many",
          "$DEV sim --clock moon", "$DEV sim --ram 1", "$DEV run --engine vax", "$DEV trace", "$DEV trace show a b",
          "$DEV sim --no-trace --trace x"}) {
        const Result result = shell(line);
        EXPECT_EQ(result.status, 2) << line;
        EXPECT_EQ(result.out, "") << line;
        EXPECT_NE(result.err, "") << line;
    }
}

// A program that asked for JSON learns from it why there is no result.
TEST_F(BadInput, JsonHoldsTheError) {
    const struct {
        const char* line;
        int status;
        const char* says;
    } cases[] = {
        {"sim --json --nonsense", 2, "--nonsense"},
        {"run --engine vax --json", 2, "vax"},
        {"run --json --engine host --limit 5", 2, "--limit"},
        {"sim --json --no-trace --kernel missing.elf", 2, "missing.elf"},
        {"sim --json --kernel $COMPUTE --trace /nowhere/at/all.trace", 2, "/nowhere/at"},
        {"sim --json --engine qemu --kernel $COMPUTE --no-trace --clock cycles", 4, "--clock cycles"},
        {"trace info --json missing.trace", 2, "missing.trace"},
        {"trace show --json missing.trace", 2, "missing.trace"},
        {"image --json --kernel missing.elf -o .", 2, "missing.elf"},
        {"boot --json --serial missing-line", 2, "missing-line"},
        {"lockstep --json --kernel missing.elf", 2, "missing.elf"},
    };
    for (const auto& c : cases) {
        const Result result = shell("$DEV " + std::string(c.line));
        EXPECT_EQ(result.status, c.status) << c.line << "\n" << result.err;
        const auto json = nlohmann::json::parse(result.out, nullptr, false);
        ASSERT_TRUE(json.is_object()) << c.line << "\n" << result.out;
        EXPECT_EQ(json.value("exit_status", 0), c.status) << result.out;
        EXPECT_NE(json.value("error", "").find(c.says), std::string::npos) << result.out;
        EXPECT_NE(result.err.find(c.says), std::string::npos) << result.err;
    }
}

TEST_F(BadInput, NumbersAreWhatTheyLookLike) {
    const struct {
        const char *command, *option, *value;
    } cases[] = {
        {"sim", "--seed", "-1"},
        {"sim", "--seed", "18446744073709551616"},
        {"sim", "--seed", "1.5"},
        {"sim", "--seed", "''"},
        {"sim", "--seed", "' 1'"},
        {"sim", "--limit", "18446744073709551616"},
        {"sim", "--limit", "0"},
        {"sim", "--limit", "-5"},
        {"sim", "--irq-at", "-1"},
        {"sim", "--irq-at", "18446744073709551616"},
        {"sim", "--top", "-1"},
        {"sim", "--ram", "15"},
        {"sim", "--ram", "16385"},
        {"sim", "--ram", "-1"},
        {"run", "--timeout", "0"},
        {"run", "--timeout", "nan"},
        {"run", "--timeout", "1e300"},
        {"trace show", "--from", "-1"},
        {"trace show", "--count", "-1"},
        {"diff HEAD", "--threshold", "-1"},
        {"diff HEAD", "--threshold", "inf"},
        {"diff HEAD", "--top", "-1"},
    };
    for (const auto& c : cases) {
        const std::string line = "$DEV " + std::string(c.command) + " " + c.option + " " + c.value;
        const Result result = shell(line);
        EXPECT_EQ(result.status, 2) << line;
        EXPECT_EQ(result.out, "") << line;
        EXPECT_NE(result.err.find(c.option), std::string::npos) << result.err;
        EXPECT_NE(result.err.find("number from "), std::string::npos) << result.err;
        EXPECT_LT(result.err.size(), 200u) << result.err;
    }
    const Result largest = shell("$DEV sim --no-trace --json --seed 18446744073709551615 --kernel $COMPUTE");
    EXPECT_EQ(largest.status, 0) << largest.err;
    EXPECT_NE(largest.out.find("\"seed\": 18446744073709551615"), std::string::npos) << largest.out;
}

TEST_F(BadInput, WhatIsMoreThanTheBoardsMemoryNamesItsLimit) {
    for (const char* line :
         {"$DEV run --ram 8192 --kernel $COMPUTE", "$DEV sim --no-trace --ram 3073 --kernel $COMPUTE",
          "$DEV sim --no-trace --engine qemu --ram 8192 --kernel $COMPUTE"}) {
        const Result result = shell(line);
        EXPECT_EQ(result.status, 2) << line;
        EXPECT_NE(result.err.find("at most 3072 MiB"), std::string::npos) << result.err;
    }
    const Result bochs = shell("$DEV run --engine bochs --ram 4097 --kernel $COMPUTE");
    EXPECT_EQ(bochs.status, 2);
    EXPECT_NE(bochs.err.find("at most 4096 MiB"), std::string::npos) << bochs.err;
}

TEST_F(BadInput, TheHostEngineRefusesWhatItWouldIgnore) {
    for (const char* option :
         {"--limit 5", "--kernel nosuch", "--irq-at 5", "--ram 64", "--clock cycles", "--jitter"}) {
        const Result result = shell("$DEV run --engine host " + std::string(option));
        EXPECT_EQ(result.status, 2) << option;
        EXPECT_EQ(result.out, "") << option;
        EXPECT_NE(result.err.find("only for --engine unicorn"), std::string::npos) << result.err;
    }
}

TEST_F(BadInput, KernelsThatAreNoneAreNamed) {
    write("empty.elf", "");
    write("text.elf", "this is no kernel at all, but long enough to be looked at as a header of one: not ELF");
    write("short.elf", read(EXO_GUESTS "/guest_ends").substr(0, 100));
    std::string arm = read(EXO_GUESTS "/guest_ends");
    arm[18] = char(183);  // e_machine: EM_AARCH64
    write("arm.elf", arm);
    std::string small = read(EXO_GUESTS "/guest_ends");
    small[4] = 1;  // ELFCLASS32
    write("small.elf", small);
    for (const char* name : {"missing.elf", "empty.elf", "text.elf", "short.elf", "arm.elf", "small.elf"}) {
        const Result result = shell("$DEV sim --no-trace --kernel " + std::string(name));
        EXPECT_EQ(result.status, 2) << name;
        EXPECT_NE(result.err.find(name), std::string::npos) << result.err;
    }
}

TEST_F(BadInput, TracePathIsCheckedBeforeTheRun) {
    const Result result = shell("$DEV sim --kernel $COMPUTE --trace /nowhere/at/all.trace");
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err.find("/nowhere/at"), std::string::npos) << result.err;
}

TEST_F(BadInput, TheKernelIsNotOverwrittenByItsTrace) {
    const Result result =
        shell("cp $COMPUTE k.elf; $DEV sim --kernel k.elf --trace k.elf; s=$?; cmp $COMPUTE k.elf || exit 99; exit $s");
    EXPECT_EQ(result.status, 2) << result.err;
}

TEST_F(BadInput, FullOutputIsReported) {
    const Result result = shell("$DEV sim --no-trace --kernel $COMPUTE > /dev/full");
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.err.find("standard output"), std::string::npos) << result.err;
}

TEST_F(BadInput, ClosedDescriptorsAreNotGivenToTheTrace) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace whole.trace").status, 0);
    const Result result = shell("$DEV sim --kernel $COMPUTE --trace q.trace >&-");
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.err.find("standard output"), std::string::npos) << result.err;
    EXPECT_EQ(read(folder / "q.trace"), read(folder / "whole.trace"));
    EXPECT_EQ(shell("$DEV sim --kernel $COMPUTE --trace all.trace <&- >&- 2>&-").status, 1);
    EXPECT_EQ(read(folder / "all.trace"), read(folder / "whole.trace"));
    EXPECT_EQ(shell("$DEV sim --kernel $COMPUTE --trace in.trace <&-").status, 0);
}

TEST_F(BadInput, AReaderThatLeavesIsNoCrash) {
    const Result result = shell(
        "$DEV sim --trace t --kernel $COMPUTE >/dev/null; { $DEV trace show t --count 100000; echo $? >&2; } | head "
        "-1");
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err.find("error"), std::string::npos) << result.err;
}

TEST_F(BadInput, FullDiskIsReported) {
    const Result result =
        shell("(ulimit -f 0; $DEV sim --kernel $COMPUTE --trace full.trace 2>&1; echo status=$?) | cat");
    EXPECT_EQ(result.out.find("status=0"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("status="), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("full.trace: "), std::string::npos) << result.out;
}

TEST_F(BadInput, MissingHostBackendIsFour) {
    EXPECT_EQ(shell("EXO_DEV_BUILD=/nowhere $DEV run --engine host").status, 4);
    EXPECT_EQ(shell("EXO_DEV_BUILD=/nowhere $DEV bench").status, 4);
}

TEST_F(BadInput, DiffNeedsARepositoryAndACommit) {
    EXPECT_EQ(shell("EXO_DEV_ROOT=$PWD $DEV diff HEAD").status, 2);
    const Result unknown = shell(
        "git init -q . && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && EXO_DEV_ROOT=$PWD $DEV "
        "diff nosuch");
    EXPECT_EQ(unknown.status, 2) << unknown.err;
    EXPECT_NE(unknown.err.find("nosuch"), std::string::npos) << unknown.err;
}

}  // namespace
