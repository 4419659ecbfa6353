// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's own figures count only when their checksum is right.
#include <gtest/gtest.h>

#include <abi/result.hpp>
#include <cstdio>
#include <devenv/commands/boot_bench.hpp>

namespace devenv {
namespace {

std::string line(const std::string& text) {
    char checksum[16];
    std::snprintf(checksum, sizeof checksum, "%08x", exo::abi::result_crc32c(text));
    return text + std::string(exo::abi::result_checksum) + checksum + "\r\n";
}

TEST(BootResult, IsFoundByItsWholeName) {
    const std::string console =
        "tour\r\n" + line("exo-result 1 boot.cpu 123 cycles") + line("exo-result 1 boot 456 cycles");
    EXPECT_EQ(boot_result(console, "boot"), 456u);
    EXPECT_EQ(boot_result(console, "boot.cpu"), 123u);
    EXPECT_EQ(boot_result(console, "boot.c"), std::nullopt);
    EXPECT_EQ(boot_result("", "boot"), std::nullopt);
}

TEST(BootResult, DamagedLinesDoNotCount) {
    std::string damaged = line("exo-result 1 boot 456 cycles");
    damaged[damaged.find("456")] = '9';
    EXPECT_EQ(boot_result(damaged, "boot"), std::nullopt);
    EXPECT_EQ(boot_result("exo-result 1 boot 456 cycles\n", "boot"), std::nullopt);
    const std::string whole = line("exo-result 1 boot 456 cycles");
    EXPECT_EQ(boot_result(whole.substr(0, whole.size() - 4), "boot"), std::nullopt);
}

}  // namespace
}  // namespace devenv
