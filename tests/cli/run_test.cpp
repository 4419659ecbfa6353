// SPDX-License-Identifier: GPL-2.0-or-later
// How runs end and what sim reports.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using Runs = CommandTest;

TEST_F(Runs, JsonHasItsFields) {
    const Result result = shell("$DEV sim --kernel $COMPUTE --trace t --json");
    ASSERT_EQ(result.status, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    for (const char* key :
         {"schema", "engine", "engine_version", "cpu", "clock", "seed", "stop", "instructions", "cycles",
          "placeholder_share", "wall_s", "mips", "console", "marks", "functions", "trace"}) {
        EXPECT_TRUE(json.contains(key)) << key;
    }
    EXPECT_EQ(json["stop"], "power-off");
    EXPECT_GT(json["instructions"], 100);
    EXPECT_GT(json["cycles"], 100);
    EXPECT_EQ(json["trace"]["bytes"], std::filesystem::file_size(folder / "t"));
    EXPECT_NE(json["console"], "");
    ASSERT_FALSE(json["functions"].empty());
    EXPECT_TRUE(json["functions"][0].contains("cycles"));
}

TEST_F(Runs, EndsHaveTheirStatus) {
    EXPECT_EQ(shell("$DEV run --kernel $ENDS --cmdline f").status, 3);
    const Result fault = shell("$DEV sim --no-trace --kernel $ENDS --cmdline t");
    EXPECT_EQ(fault.status, 3);
    for (const char* part : {"triple-fault", "rip", "cr3", "fault chain"}) {
        EXPECT_NE(fault.err.find(part), std::string::npos) << part << fault.err;
    }
    EXPECT_EQ(shell("$DEV sim --no-trace --kernel $ENDS --cmdline j").status, 3);
    EXPECT_EQ(shell("$DEV sim --no-trace --kernel $ENDS --cmdline w").status, 3);
}

TEST_F(Runs, ASpinSaysWhere) {
    const Result spin = shell("$DEV sim --no-trace --limit 100000 --kernel $ENDS --cmdline s");
    EXPECT_EQ(spin.status, 5);
    EXPECT_NE(spin.err.find("spun in"), std::string::npos) << spin.err;
    EXPECT_NE(spin.err.find("pause"), std::string::npos) << spin.err;
}

TEST_F(Runs, TimeLimitIsFive) {
    const Result spin = shell("$DEV run --json --timeout 0.3 --kernel $ENDS --cmdline s");
    EXPECT_EQ(spin.status, 5);
    EXPECT_EQ(nlohmann::json::parse(spin.out)["stop"], "time-limit");
}

TEST_F(Runs, ControlCLeavesAReadableTrace) {
    // A shell starts background jobs with SIGINT ignored; exo-dev installs its handler all the same.
    const Result result = shell(
        "$DEV sim --trace t --limit 100000000000 --kernel $ENDS --cmdline s >/dev/null & p=$!; sleep 2; kill -INT $p; "
        "wait $p");
    EXPECT_EQ(result.status, 130) << result.err;
    const Result info = shell("$DEV trace info t --json");
    EXPECT_EQ(info.status, 0) << info.err;
    EXPECT_EQ(nlohmann::json::parse(info.out)["stop"], "interrupted");
}

}  // namespace
