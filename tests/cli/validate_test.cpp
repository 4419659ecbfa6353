// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev validate as its user sees it. What a block takes on this machine is never judged, only that it is measured,
// that what must not run is refused, and that nothing is left behind.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using nlohmann::json;

struct Validate : CommandTest {
    json run_json(const std::string& line) {
        const Result result = shell("$DEV validate --json " + line);
        EXPECT_EQ(result.status, 0) << result.err;
        return json::parse(result.out, nullptr, false);
    }
    // Processes that still have this test's mark in their environment.
    std::size_t left_behind() const {
        std::size_t count = 0;
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator("/proc", error))
            count += read(entry.path() / "environ").find("EXO_TEST_MARK=" + folder.string()) != std::string::npos;
        return count;
    }
    // Within a minute. A look at /proc can miss one that is just being forked: three in a row do not.
    bool all_gone() const {
        unsigned none = 0;
        for (unsigned i = 0; none < 3 && i < 600; ++i) {
            none = left_behind() ? 0 : none + 1;
            usleep(100'000);
        }
        return none == 3;
    }
};

TEST_F(Validate, AFileOfMeasurements) {
    write("three.csv", "hex,cycles_per_iteration\n4801d8,1\n480fafc3,3\n488b00,8\n");
    const json report = run_json("--no-mca --measured three.csv");
    ASSERT_EQ(report["sets"].size(), 1u);
    const json& set = report["sets"][0];
    EXPECT_EQ(report["cpu"], "znver4");
    EXPECT_EQ(set["predictors"]["exo"]["n"], 3);
    EXPECT_NEAR(set["predictors"]["exo"]["mean_percent"], 50.0 / 3, 0.5);  // a load takes 4, not 8
    EXPECT_NEAR(set["predictors"]["exo"]["median_percent"], 0, 0.5);
    EXPECT_NEAR(set["predictors"]["exo"]["tau"], 1, 1e-9);
    EXPECT_EQ(set["worst"][0]["hex"], "488b00");
    EXPECT_EQ(set["categories"].size(), 2u);
    const Result text = shell("$DEV validate --no-mca --measured three.csv");
    EXPECT_EQ(text.status, 0);
    EXPECT_NE(text.out.find("Kendall's tau"), std::string::npos);
    EXPECT_NE(text.out.find("integer with memory"), std::string::npos);
}

TEST_F(Validate, TheCommittedMeasurements) {
    const json report = run_json("--no-mca --limit 40 --measured " EXO_SOURCE "/sim/timing/data/zen4-blocks.csv");
    EXPECT_EQ(report["sets"][0]["predictors"]["exo"]["n"], 40);
    EXPECT_LT(report["sets"][0]["predictors"]["exo"]["mean_percent"],
              report["sets"][0]["predictors"]["naive"]["mean_percent"]);
    const json patterns = run_json("--no-mca --measured " EXO_SOURCE "/sim/timing/data/zen4-micro.tsv");
    EXPECT_GT(patterns["sets"][0]["predictors"]["exo"]["n"], 200);
    for (const json& one : patterns["sets"][0]["uncovered"])  // every pattern can be assembled
        EXPECT_EQ(std::string(one["why"]).find("not assembled"), std::string::npos) << one;
}

TEST_F(Validate, LlvmMcaBesideIt) {
    write("two.csv", "hex,cycles_per_iteration\n4801d8,1\n480fafc3,3\n");
    const json set = run_json("--measured two.csv")["sets"][0];
    ASSERT_FALSE(set.contains("llvm_mca_missing"))
        << set["llvm_mca_missing"];  // it comes with the LLVM that is required
    EXPECT_EQ(set["predictors"]["llvm-mca"]["n"], 2);
    EXPECT_NEAR(set["blocks"][1]["llvm-mca"], 3, 0.01);  // the slope, not how the pipeline fills
    const Result without = shell("mkdir empty; PATH=empty $DEV validate --measured two.csv");
    EXPECT_EQ(without.status, 0) << without.err;
}

TEST_F(Validate, BadInput) {
    write("bad.csv", "hex,cycles_per_iteration\n4801d8,1\nzz,3\n");
    write("uncovered.csv", "hex,cycles_per_iteration\n0f05,100\n");
    write("good.csv", "hex,cycles_per_iteration\n4801d8,1\n");
    const struct {
        const char* line;
        int status;
        const char* says;
    } cases[] = {
        {"--measured bad.csv", 2, "bad.csv:3: "},
        {"--measured none.csv", 2, "none.csv: No such file"},
        {"--measured good.csv --cpu vax", 2, "vax"},
        {"--measured good.csv --plot x.gif", 2, ".svg or .png"},
        {"--measured good.csv --hex 90", 2, "--hex"},
        {"--hex 9", 2, "'9' is no block"},
        {"--hex 90 --cpu vax", 2, "vax"},
        {"--limit 0", 2, "--limit"},
        {"--measured good.csv --no-mca --record /nowhere/at/all", 2, "no such folder"},
        {"--measured good.csv --no-mca --record good.csv", 2, "not a record"},
    };
    for (const auto& [line, status, says] : cases) {
        const Result result = shell("$DEV validate " + std::string(line));
        EXPECT_EQ(result.status, status) << line << "\n" << result.err;
        EXPECT_NE(result.err.find(says), std::string::npos) << line << "\n" << result.err;
    }
    EXPECT_EQ(shell("$DEV validate --no-mca --measured uncovered.csv").status, 1);  // nothing could be compared
}

// Points are dots of a path for each predictor; gnuplot's element a point is ten times as long.
TEST_F(Validate, PlotsAreSmall) {
    const std::string data = EXO_SOURCE "/sim/timing/data/zen4-micro.tsv";
    const Result plot = shell("$DEV validate --no-mca --measured " + data + " --plot error.svg");
    if (shell("command -v gnuplot").status != 0) {  // the suite does not install it: then it is asked for
        EXPECT_EQ(plot.status, 4);
        EXPECT_NE(plot.err.find("gnuplot"), std::string::npos) << plot.err;
        return;
    }
    EXPECT_EQ(plot.status, 0) << plot.err;
    const std::string svg = read(folder / "error.svg");
    EXPECT_NE(svg.find("</svg>"), std::string::npos);
    EXPECT_EQ(svg.find("<use xlink:href='#gpPt0' transform='translate"), std::string::npos);
    std::size_t dots = 0;
    for (auto at = svg.find("h0"); at != svg.npos; at = svg.find("h0", at + 2)) ++dots;
    EXPECT_GT(dots, 2u * 250);  // the model's and the naive one's
    EXPECT_LT(svg.size(), 40'000u);
    EXPECT_EQ(shell("$DEV validate --no-mca --measured " + data + " --plot /nowhere/error.svg").status, 2);
}

TEST_F(Validate, Record) {
    write("good.csv", "hex,cycles_per_iteration\n4801d8,1\n480fafc3,3\n");
    run_json("--no-mca --measured good.csv --record record.json");
    const json record = json::parse(read(folder / "record.json"), nullptr, false);
    EXPECT_EQ(record["cpu"], "znver4");
    EXPECT_EQ(record["sets"][0]["data"], "good.csv");
    EXPECT_EQ(record["sets"][0]["n"], 2);
    EXPECT_EQ(record["sets"][0]["categories"][0]["name"], "integer");
}

// Whatever it takes is right. Blocks that no two passes agree on are a busy machine's.
TEST_F(Validate, MeasuresHere) {
    const Result result = shell(
        "export EXO_TEST_MARK=$PWD; $DEV validate --json --no-mca --cpu znver4 --passes 20 --hex 909090909090 "
        "--hex 4801d8 --hex 0f05 --hex ebfe --hex 0f0b");
    const json report = json::parse(result.out, nullptr, false);
    ASSERT_FALSE(report.is_discarded()) << result.out << result.err;
    const json& set = report["sets"][0];
    EXPECT_EQ(set["blocks"].size() + set["uncovered"].size(), 5u) << report;
    for (const json& one : set["blocks"]) EXPECT_GT(one["measured"], 0);
    std::size_t refused = 0;
    for (const json& one : set["uncovered"]) {
        const std::string why = one["why"];
        refused += why.find("a system instruction") != std::string::npos || why.find("a branch") != std::string::npos;
        if (one["name"] == "4801d8" || one["name"] == "909090909090") {
            EXPECT_NE(why.find("unstable"), std::string::npos) << why;
        }
    }
    EXPECT_EQ(refused, 3u) << report;
    EXPECT_EQ(left_behind(), 0u);
}

// A primitive of the kernel: timed by its benchmark, then stepped through for the model. Where ptrace is not allowed it
// says so.
TEST_F(Validate, APrimitive) {
    const Result result =
        shell("export EXO_TEST_MARK=$PWD; $DEV validate --json --cpu znver4 --primitive context_switch");
    const json report = json::parse(result.out, nullptr, false);
    ASSERT_FALSE(report.is_discarded()) << result.out << result.err;
    const json& one = report["primitives"][0];
    EXPECT_EQ(one["id"], "context_switch");
    if (one.contains("why")) {
        EXPECT_NE(std::string(one["why"]).find("ptrace is refused"), std::string::npos) << one["why"];
        return;
    }
    EXPECT_GT(one["exo"], 0);
    EXPECT_GE(one["instructions"], 8);  // a switch: save, change stacks, restore
    EXPECT_LE(one["instructions"], 40);
    EXPECT_EQ(left_behind(), 0u);
    EXPECT_EQ(shell("$DEV validate --primitive nothing").status, 2);
}

// Machine code that is run here and, the same bytes, by an emulator for the model, whose cycles are the same each time.
TEST_F(Validate, AClassicLoop) {
    const auto loop = [&] {
        const Result result = shell("$DEV validate --json --cpu znver4 --loop copy-512");
        const json report = json::parse(result.out, nullptr, false);
        EXPECT_FALSE(report.is_discarded()) << result.out << result.err;
        return report["loops"][0];
    };
    const json one = loop();
    EXPECT_EQ(one["id"], "copy-512");
    EXPECT_NEAR(double(one["instructions"]), 11.5, 0.01);  // of 64 bytes: eight moves, three to go on, four a copy
    EXPECT_GT(one["measured"], 0);
    EXPECT_GE(one["exo"], 4);  // a vector store a cycle
    EXPECT_LE(one["exo"], 5);
    EXPECT_EQ(loop()["exo"], one["exo"]);
    const Result natively = shell("$DEV validate --loop copy-64 --cpu nothing");
    EXPECT_EQ(natively.status, 2) << natively.out;
    EXPECT_EQ(shell("$DEV validate --loop nothing").status, 2);
    EXPECT_EQ(shell("$DEV validate --loop --measured x.csv").status, 2);
}

// Killed without a chance to clean up: its children go all the same.
TEST_F(Validate, NothingSurvivesItsDeath) {
    shell("export EXO_TEST_MARK=$PWD; timeout -s KILL 0.5 $DEV validate --no-mca --no-primitives --cpu znver4");
    EXPECT_TRUE(all_gone());
    const Result interrupted = shell(
        "export EXO_TEST_MARK=$PWD; timeout -s INT 0.5 $DEV validate --no-mca --no-primitives --cpu znver4 --passes "
        "1000");
    EXPECT_TRUE(interrupted.status == 124 || interrupted.status == 0) << interrupted.err;
    EXPECT_TRUE(all_gone());
}

// The program itself, given what exo-dev would never let it have: the block is killed, others are still measured.
TEST_F(Validate, HostileBlocksHarmNothing) {
    write("blocks",
          "90 1\n0f05 1\nebfe 1\n0f0b 1\nf4 1\n48b80000000000000080488b00 2\ncd80 1\n31e4ff20 2\n"
          "48c7c100000040f3aa 2\n90 1\n");
    const Result result = shell(EXO_BUILD "/bench/exo-measure --limit 1 --passes 20 blocks");
    EXPECT_EQ(result.status, 0) << result.err;
    const auto says = [&result](const char* line) { return result.out.find(line) != std::string::npos; };
    EXPECT_TRUE(says("1 failed makes a system call") || says("1 failed ended the process")) << result.out;
    EXPECT_TRUE(says("2 failed did not end in time")) << result.out;
    EXPECT_TRUE(says("3 failed an instruction that this CPU does not have")) << result.out;
    EXPECT_TRUE(says("4 failed a general protection fault")) << result.out;
    EXPECT_TRUE(says("5 failed a general protection fault")) << result.out;
    EXPECT_TRUE(says("8 failed touches more than 4096 pages") || says("8 failed did not end in time")) << result.out;
    EXPECT_TRUE(says("9 ok") || says("9 failed unstable")) << result.out;
}

// What was measured is read again; what no two passes agree on, on a busy machine, is not in the table.
TEST_F(Validate, SavesWhatItMeasured) {
    write("blocks.csv", "hex\n4801d8\n0f05\n");
    const Result saved = shell("$DEV validate --no-mca --cpu znver4 --passes 20 --blocks blocks.csv --save saved.csv");
    ASSERT_NE(read(folder / "saved.csv").find("hex,cycles_per_iteration,spread,loop_cycles"), std::string::npos);
    EXPECT_EQ(read(folder / "saved.csv").find("0f05"), std::string::npos);
    if (read(folder / "saved.csv").find("4801d8,") == std::string::npos) {
        EXPECT_NE(saved.out.find("4801d8: not measured"), std::string::npos) << saved.out;
        return;
    }
    EXPECT_EQ(run_json("--no-mca --measured saved.csv")["sets"][0]["blocks"].size(), 1u);
    EXPECT_EQ(shell("$DEV validate --save both").status, 2);
    EXPECT_EQ(shell("$DEV validate --hex 90 --save /nowhere/at/all").status, 1);
}

TEST_F(Validate, AnUnknownCpuIsAskedFor) {
    const Result result = shell("$DEV validate --passes 20 --hex 4801d8");
    EXPECT_TRUE(result.status == 0 || result.out.find("unstable") != std::string::npos) << result.err;
    EXPECT_NE(result.out.find("measured on "), std::string::npos);
    const bool compared = result.out.find("Kendall's tau") != std::string::npos;
    EXPECT_TRUE(compared || result.out.find("--cpu znver4") != std::string::npos) << result.out;
}

}  // namespace
