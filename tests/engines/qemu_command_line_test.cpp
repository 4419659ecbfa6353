// SPDX-License-Identifier: GPL-2.0-or-later
// What QEMU is started with.
#include <gtest/gtest.h>

#include <algorithm>
#include <sim/qemu/command_line.hpp>
#include <stdexcept>

namespace sim::qemu {
namespace {

const Program program{.path = "qemu", .version = "7.2", .warning = {}};

std::string joined(const CommandLine& line) {
    std::string text;
    for (const std::string& word : arguments(line, program)) text += word + " ";
    return text;
}

bool has(const CommandLine& line, const std::string& part) {
    return joined(line).find(part + " ") != std::string::npos;
}

TEST(QemuCommandLine, IsPrivateAndEndsAtAReset) {
    const CommandLine line{.kernel = "k.elf"};
    for (const char* part : {"-nodefaults", "-no-user-config", "-no-reboot", "-display none", "-monitor none",
                             "-accel tcg", "-M q35", "-cpu max", "-smp 1", "-m 128", "-kernel k.elf"})
        EXPECT_TRUE(has(line, part)) << part;
    EXPECT_FALSE(has(line, "-append"));
}

TEST(QemuCommandLine, CountsInstructionsUnlessTold) {
    CommandLine line{.kernel = "k.elf"};
    EXPECT_TRUE(has(line, "-icount shift=0,sleep=off -rtc base=2024-01-01,clock=vm"));
    line.instruction_clock = false;
    EXPECT_FALSE(has(line, "-icount"));
}

TEST(QemuCommandLine, WordsStayWhole) {
    CommandLine line{.kernel = "k.elf", .guest_command_line = "a=1 b=2"};
    line.boot = Boot::qboot;
    const std::vector<std::string> words = arguments(line, program);
    EXPECT_NE(std::find(words.begin(), words.end(), "a=1 b=2"), words.end());
    EXPECT_TRUE(has(line, "-bios qboot.rom"));
}

TEST(QemuCommandLine, CommasInFileNamesAreDoubled) {
    CommandLine line{.boot = Boot::bios, .image = "/tmp/a,b.iso"};
    EXPECT_TRUE(has(line, "if=none,id=boot,media=cdrom,format=raw,readonly=on,file=/tmp/a,,b.iso"));
}

TEST(QemuCommandLine, MicrovmHasNoFirmwareToBootFrom) {
    EXPECT_THROW(arguments({.machine = Machine::microvm, .boot = Boot::bios}, program), std::logic_error);
}

}  // namespace
}  // namespace sim::qemu
