// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev sim --engine bochs: a window is the same instructions as in Unicorn, and what cannot be asked for.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using Window = CommandTest;
using Json = nlohmann::json;

Json mark(const std::string& report, const std::string& name) {
    const Json json = Json::parse(report);
    for (const Json& each : json["marks"]) {
        if (each["name"] == name) return each;
    }
    return {};
}

TEST_F(Window, SameInstructionCountAsUnicorn) {
    const Result bochs = shell("$DEV sim --engine bochs --window user.null_call:3 --json --no-trace --kernel $KERNEL");
    ASSERT_EQ(bochs.status, 0) << bochs.err;
    const Result unicorn = shell("$DEV sim --json --no-trace --kernel $KERNEL");
    ASSERT_EQ(unicorn.status, 0) << unicorn.err;
    EXPECT_EQ(Json::parse(bochs.out)["stop"], "window-end");
    const Json told = mark(bochs.out, "user.null_call"), expected = mark(unicorn.out, "user.null_call");
    ASSERT_FALSE(told.is_null() || expected.is_null()) << bochs.out;
    EXPECT_EQ(told["count"], 1);
    EXPECT_EQ(told["instructions"]["median"], expected["instructions"]["median"]);
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

}  // namespace
