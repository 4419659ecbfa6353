// SPDX-License-Identifier: GPL-2.0-or-later
// Every way into the kernel, with the richest CPU of each engine and with poor ones, on one CPU and several.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

struct Path {
    const char *name, *options, *entered_by;
};
std::ostream& operator<<(std::ostream& out, const Path& path) { return out << path.options; }

class Paths : public CommandTest, public testing::WithParamInterface<Path> {};

TEST_P(Paths, TheTourPasses) {
    const Result result = shell("$DEV run --kernel $KERNEL --json --timeout 240 " + std::string(GetParam().options));
    ASSERT_EQ(result.status, 0) << result.err << result.out;
    const auto json = nlohmann::json::parse(result.out);
    const std::string console = json["console"];
    EXPECT_EQ(json["stop"], "power-off");
    EXPECT_NE(console.find(std::string("entered by ") + GetParam().entered_by), std::string::npos) << console;
    EXPECT_NE(console.find(" steps passed"), std::string::npos) << console;
    EXPECT_EQ(json["engine_version"].get<std::string>().substr(0, 1), json["engine"] == "qemu" ? "7" : "2");
}

INSTANTIATE_TEST_SUITE_P(
    Boot, Paths,
    testing::Values(
        Path{"Q35Pvh", "--engine qemu", "PVH"}, Path{"PcPvh", "--engine qemu --machine pc", "PVH"},
        Path{"Microvm", "--engine qemu --machine microvm", "PVH"}, Path{"PoorCpu", "--engine qemu --cpu qemu64", "PVH"},
        Path{"RealTime", "--engine qemu --real-time", "PVH"},
        Path{"Q35Bios", "--engine qemu --firmware bios", "multiboot2"},
        Path{"PcBiosManyMib", "--engine qemu --firmware bios --machine pc --real-time --ram 3072", "multiboot2"},
        Path{"Q35Uefi", "--engine qemu --firmware uefi", "multiboot2"},
        Path{"TwoCpus", "--engine qemu --cpus 2", "PVH"}, Path{"EightCpus", "--engine qemu --cpus 8", "PVH"},
        Path{"TwoCpusBios", "--engine qemu --firmware bios --cpus 2", "multiboot2"},
        Path{"Bochs", "--engine bochs", "multiboot2"},
        Path{"BochsPoorCpu", "--engine bochs --cpu core2_penryn_t9600 --ram 64", "multiboot2"},
        Path{"BochsTwoCpus", "--engine bochs --cpus 2", "multiboot2"}),
    [](const auto& instance) { return std::string(instance.param.name); });

using Boots = CommandTest;

TEST_F(Boots, CountedTimeIsTheSameInEveryRun) {
    const std::string run = "$DEV run --engine qemu --machine microvm --kernel $KERNEL --json";
    const Result one = shell(run), other = shell(run);
    ASSERT_EQ(one.status, 0) << one.err;
    EXPECT_EQ(nlohmann::json::parse(one.out)["console"], nlohmann::json::parse(other.out)["console"]);
}

TEST_F(Boots, TheCommandLineArrivesByEveryLoader) {
    for (const char* options : {"--engine qemu", "--engine qemu --firmware bios --real-time", "--engine bochs"}) {
        const Result result = shell("$DEV run --kernel $KERNEL --scenario nonesuch " + std::string(options));
        EXPECT_EQ(result.status, 3) << options << result.err;
        EXPECT_NE(result.out.find("no such scenario"), std::string::npos) << options << result.out;
        EXPECT_NE(result.err.find("reports failure"), std::string::npos) << options << result.err;
    }
}

TEST_F(Boots, TwoAtOnceDoNotMeet) {
    const Result both = shell(
        "$DEV run --engine bochs --kernel $KERNEL >one & $DEV run --engine bochs --kernel $KERNEL >other & "
        "wait %1 && wait %2 && cmp one other && grep -c 'steps passed' one");
    EXPECT_EQ(both.status, 0) << both.err;
    EXPECT_EQ(both.out, "1\n");
}

}  // namespace
