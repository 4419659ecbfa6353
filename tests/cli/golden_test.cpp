// SPDX-License-Identifier: GPL-2.0-or-later
// The cycles of traces/golden/timing.elf by CPU: a change of the model shows as a reviewed difference of a small table.
// EXO_UPDATE_GOLDEN=1 in the environment writes the table again.
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "command.hpp"

namespace {

std::string table(const std::string& report) {
    std::ostringstream out;
    out << "mark\tinstructions\tcycles of the quickest, median and slowest of three passes\n";
    const nlohmann::json json = nlohmann::json::parse(report);
    for (const auto& mark : json.at("marks")) {
        out << mark["name"].get<std::string>() << '\t' << mark["instructions"]["min"] << '\t' << mark["cycles"]["min"]
            << '\t' << mark["cycles"]["median"] << '\t' << mark["cycles"]["p99"] << '\n';
    }
    return out.str();
}

const std::filesystem::path golden = std::filesystem::path(EXO_SOURCE) / "traces" / "golden";

void expect_golden(const std::string& now, const std::string& file) {
    if (std::getenv("EXO_UPDATE_GOLDEN")) std::ofstream(golden / file) << now;
    EXPECT_GT(std::ranges::count(now, '\n'), 10);
    EXPECT_EQ(now, CommandTest::read(golden / file)) << "The model has changed. If that is meant: EXO_UPDATE_GOLDEN=1, "
                                                        "and look at the difference.";
}

class GoldenCpu : public CommandTest, public testing::WithParamInterface<const char*> {};

// From a trace too: it is the same instructions.
TEST_P(GoldenCpu, Cycles) {
    const std::string cpu = GetParam();
    const std::string options = " --json --cpu " + cpu + " --trace t --kernel ";
    const Result run = shell("$DEV sim" + options + (golden / "timing.elf").string());
    ASSERT_EQ(run.status, 0) << run.err;
    expect_golden(table(run.out), "timing." + cpu + ".tsv");
    const Result again = shell("$DEV trace retime t --json --cpu " + cpu);
    ASSERT_EQ(again.status, 0) << again.err;
    const auto json = nlohmann::json::parse(again.out);
    EXPECT_EQ(json["cycles"], json["before"]["cycles"]);
    EXPECT_GT(json["cycles"], 0);
}
INSTANTIATE_TEST_SUITE_P(Golden, GoldenCpu, testing::Values("znver3", "znver4", "znver5", "skylake-avx512"));

}  // namespace
