// SPDX-License-Identifier: GPL-2.0-or-later
// Trace files: same run same bytes, and damage costs only what lies behind it.
#include <nlohmann/json.hpp>
#include <sstream>

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

TEST_F(Trace, UnknownNamesAreUsageErrors) {
    ASSERT_EQ(shell("$DEV sim --kernel $COMPUTE --trace t").status, 0);
    EXPECT_EQ(shell("$DEV trace show t --mark nosuch").status, 2);
    EXPECT_EQ(shell("$DEV trace show t --symbol nosuch").status, 2);
    EXPECT_EQ(shell("$DEV trace show t --from 99999999").status, 2);
}

}  // namespace
