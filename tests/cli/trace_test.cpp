// SPDX-License-Identifier: GPL-2.0-or-later
// Trace files: same run same bytes, and damage costs only what lies behind it.
#include <nlohmann/json.hpp>
#include <sstream>

#include <map>

#include "command.hpp"

namespace {

using Trace = CommandTest;

TEST_F(Trace, SameRunSameBytes) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace a && $DEV sim --kernel $COMPUTE --trace b").status, 0);
    EXPECT_EQ(read(folder / "a"), read(folder / "b"));
    EXPECT_FALSE(read(folder / "a").empty());
    ASSERT_EQ(shell("$DEV sim --seed 7 --kernel $COMPUTE --trace c").status, 0);
    EXPECT_NE(read(folder / "a"), read(folder / "c"));
}

TEST_F(Trace, ShowsInstructionsInOrder) {
    const Result shown =
        shell("$DEV sim --kernel $COMPUTE --trace t >/dev/null && $DEV trace show t --json --from 5 --count 20");
    ASSERT_EQ(shown.status, 0) << shown.err;
    std::istringstream lines(shown.out);
    std::uint64_t index = 5;
    for (std::string line; std::getline(lines, line);) {
        const auto json = nlohmann::json::parse(line);
        if (json.contains("event")) continue;
        EXPECT_EQ(json["index"], index++);
        EXPECT_NE(json["text"], "");
        EXPECT_NE(json["symbol"], "");
    }
    EXPECT_EQ(index, 25u);
}

TEST_F(Trace, TruncatedFileShowsItsGoodPart) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    const std::string whole = read(folder / "t");
    write("cut", whole.substr(0, whole.size() - 20));
    const Result info = shell("$DEV trace info cut");
    EXPECT_EQ(info.status, 1);
    EXPECT_NE(info.err.find("cut"), std::string::npos) << info.err;
    write("stub", whole.substr(0, 10));
    EXPECT_EQ(shell("$DEV trace show stub").status, 2);
    write("text", "no trace");
    EXPECT_EQ(shell("$DEV trace info text").status, 2);
    EXPECT_EQ(shell("$DEV trace info missing").status, 2);
}

TEST_F(Trace, ADamagedImageCostsOnlyTheNames) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    std::string damaged = read(folder / "t");
    const std::size_t info = damaged.find("EXCK"), image = damaged.find("EXCK", info + 1);  // chunk_magic
    ASSERT_NE(image, std::string::npos);
    damaged[image + 100] = static_cast<char>(damaged[image + 100] ^ 0x55);
    write("d", damaged);
    const Result whole = shell("$DEV trace show t --json --count 20"),
                 shown = shell("$DEV trace show d --json --count 20");
    EXPECT_EQ(shown.status, 1);
    EXPECT_NE(shown.err.find("image"), std::string::npos) << shown.err;
    std::istringstream left(whole.out), right(shown.out);
    std::size_t count = 0;
    for (std::string a, b; std::getline(left, a) && std::getline(right, b); ++count) {
        const auto x = nlohmann::json::parse(a), y = nlohmann::json::parse(b);
        for (const char* key : {"index", "cycle", "address", "bytes", "text"})
            EXPECT_EQ(x.value(key, nlohmann::json()), y.value(key, nlohmann::json())) << key;
    }
    EXPECT_GE(count, 20u);
    EXPECT_EQ(shell("$DEV trace show d --symbol main").status, 1);
    EXPECT_EQ(shell("$DEV trace show d").status, 1);
}

TEST_F(Trace, FlippedBytesNeverCrash) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    const std::string whole = read(folder / "t");
    for (std::size_t at = 0; at < whole.size(); at += whole.size() / 12 + 1) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
        write("d", damaged);
        const int status = shell("$DEV trace show d --count 1000000").status;
        EXPECT_TRUE(status == 1 || status == 2) << "byte " << at << " status " << status;
    }
}

TEST_F(Trace, RetimedByTheSameModelIsTheSameFile) {
    // With several CPUs too, whose models share what their caches share.
    ASSERT_EQ(shell("$DEV sim --kernel $KERNEL --trace one --limit 600000").status, 5);
    ASSERT_EQ(shell("$DEV sim --kernel $KERNEL --trace two --cpus 2 --quantum 500 --ram 64 --limit 600000").status, 5);
    const auto info = nlohmann::json::parse(shell("$DEV trace info two --json").out);
    EXPECT_EQ(info["cpus"], 2);
    EXPECT_EQ(info["quantum"], 500);
    EXPECT_EQ(info["ram_mib"], 64);
    EXPECT_LT(info["cycles_range"]["low"], info["cycles"]);
    EXPECT_GT(info["cycles_range"]["high"], info["cycles"]);
    for (const std::string name : {"one", "two"}) {
        const Result again = shell("$DEV trace retime " + name + " -o again --json");
        ASSERT_EQ(again.status, 0) << again.err;
        EXPECT_TRUE(read(folder / name) == read(folder / "again")) << name;
        const auto json = nlohmann::json::parse(again.out);
        EXPECT_EQ(json["cycles"], json["before"]["cycles"]);
        EXPECT_EQ(json["instructions"], 600000);
    }
    const Result strict = shell("$DEV trace retime one --strict=0.01");
    EXPECT_EQ(strict.status, 1);
    EXPECT_NE(strict.err.find("tour.boot_phases: "), std::string::npos) << strict.err;
    EXPECT_NE(strict.err.find("more than 0.01 %"), std::string::npos) << strict.err;
    EXPECT_EQ(shell("$DEV trace retime one --strict=100").status, 0);
}

TEST_F(Trace, RetimeSaysWhatIsWrong) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    const Result itself = shell("$DEV trace retime t -o t");
    EXPECT_EQ(itself.status, 2);
    EXPECT_NE(itself.err.find("another file"), std::string::npos) << itself.err;
    const Result cpu = shell("$DEV trace retime t --cpu nosuch");
    EXPECT_EQ(cpu.status, 2);
    EXPECT_NE(cpu.err.find("nosuch"), std::string::npos) << cpu.err;
    EXPECT_EQ(shell("$DEV trace retime missing").status, 2);
    EXPECT_EQ(shell("$DEV trace retime t -o ''").status, 2);
    const std::string whole = read(folder / "t");
    write("cut", whole.substr(0, whole.size() - 20));
    EXPECT_EQ(shell("$DEV trace retime cut").status, 1);
    const Result text = shell("$DEV trace retime t --stack --misses --sources");
    EXPECT_EQ(text.status, 0);
    for (const char* part : {"spent on", "before", "rest", "CPI", "L1D", "measured", "of 1,000 instructions"})
        EXPECT_NE(text.out.find(part), std::string::npos) << part << text.out;
}

TEST_F(Trace, PipelineIsInOrderAndAgreesWithTheCycles) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    const Result shown = shell("$DEV trace show t --pipeline --json --from 50 --count 5000");
    ASSERT_EQ(shown.status, 0) << shown.err;
    EXPECT_NE(shown.err.find("from instruction 0 on"), std::string::npos) << shown.err;
    std::istringstream lines(shown.out);
    std::uint64_t index = 50, retired = 0;
    unsigned dependent = 0, units = 0, missed = 0;
    std::map<std::uint64_t, std::string> addresses;
    for (std::string line; std::getline(lines, line);) {
        const auto json = nlohmann::json::parse(line);
        if (json.contains("event")) continue;
        const auto& stages = json.at("pipeline");
        EXPECT_LE(stages["fetch"], stages["dispatch"]) << line;
        EXPECT_LE(stages["dispatch"], stages["issue"]) << line;
        EXPECT_LE(stages["issue"], stages["complete"]) << line;
        EXPECT_LE(stages["complete"], stages["retire"]) << line;
        EXPECT_EQ(stages["delta"], json["delta"]) << line;
        EXPECT_EQ(stages["wait"], json["wait"]) << line;
        if (retired) {
            EXPECT_EQ(stages["retire"], retired + json["delta"].get<std::uint64_t>()) << line;
        }
        retired = stages["retire"].get<std::uint64_t>();
        if (!stages["on"].is_null()) {
            EXPECT_LT(stages["on"], index) << line;
            const auto known = addresses.find(stages["on"]);
            if (known != addresses.end()) {
                EXPECT_EQ(stages["on_address"], known->second) << line;
            }
            ++dependent;
        }
        units += stages["units"].is_string();
        missed += !stages["misses"].empty();
        const std::string rests = stages["rests_on"];
        EXPECT_TRUE(rests == "measured" || rests == "published" || rests == "llvm" || rests == "estimate") << line;
        EXPECT_TRUE(rests != "estimate" || json["placeholder"] == json["delta"]) << line;
        addresses[index] = json["address"];
        EXPECT_EQ(json["index"], index++);
    }
    EXPECT_EQ(index, 5050u);
    EXPECT_GT(units, 0u);
    EXPECT_GT(missed, 0u);
    EXPECT_GT(dependent, 0u);
    const Result late = shell("$DEV trace show t --pipeline --from 500 --count 3 --warm-up 100");
    EXPECT_EQ(late.status, 0);
    EXPECT_NE(late.err.find("from instruction 400 on"), std::string::npos) << late.err;
    EXPECT_NE(late.out.find("dispatch"), std::string::npos) << late.out;
    EXPECT_EQ(shell("$DEV trace show t --warm-up 100").status, 2);
}

TEST_F(Trace, UnknownNamesAreUsageErrors) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    EXPECT_EQ(shell("$DEV trace show t --mark nosuch").status, 2);
    EXPECT_EQ(shell("$DEV trace show t --symbol nosuch").status, 2);
    EXPECT_EQ(shell("$DEV trace show t --from 99999999").status, 2);
}

}  // namespace
