// SPDX-License-Identifier: GPL-2.0-or-later
// The same kernel says the same in every engine.
#include "console_text.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

TEST(Comparable, KeepsWhatTheKernelSays) {
    EXPECT_EQ(comparable("SeaBIOS\r\nExo-OS 1, entered by PVH\r\nmachine: 126 MiB\r\n  cpu    12 ns\r\n  8 calls\r\n"),
              "Exo-OS 1, entered by WAY\nmachine: MACHINE\n  cpu TIME ns\n  8 calls\n");
    EXPECT_NE(comparable("Exo-OS 1\n  8 calls\n"), comparable("Exo-OS 1\n  9 calls\n"));
    EXPECT_EQ(comparable("nothing of it"), "");
    EXPECT_EQ(without_isolation("tour: faults\n  a\nprocess b\ntour: next\n"), "tour: faults\ntour: next\n");
}

using Console = CommandTest;

TEST_F(Console, IsTheSameInAllEngines) {
    // What the CPU models of all engines have.
    const std::string run = "$DEV run --kernel $KERNEL --json --cmdline features=smep,smap,pge ";
    const std::map<std::string, std::string> engines = {{"Unicorn", ""},
                                                        {"QEMU, PVH", "--engine qemu"},
                                                        {"QEMU, SeaBIOS", "--engine qemu --firmware bios --real-time"},
                                                        {"Bochs", "--engine bochs"}};
    std::map<std::string, std::string> texts;
    for (const auto& [engine, options] : engines) {
        const Result result = shell(run + options);
        ASSERT_EQ(result.status, 0) << engine << result.err;
        texts[engine] = comparable(nlohmann::json::parse(result.out)["console"]);
        EXPECT_NE(texts[engine].find("steps passed"), std::string::npos) << engine;
        EXPECT_EQ(texts[engine], texts["Bochs"]) << engine;
    }
    const Result host = shell("$DEV run --json --engine host --cmdline features=smep,smap,pge");
    ASSERT_EQ(host.status, 0) << host.err;
    const std::string text = comparable(nlohmann::json::parse(host.out)["console"]);
    EXPECT_EQ(without_isolation(text), without_isolation(texts["Unicorn"]));
}

}  // namespace
