// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev image and exo-dev boot: what a real PC boots, and what is heard of it over a serial line.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include <abi/result.hpp>
#include <algorithm>
#include <devenv/machine_watch.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "command.hpp"

namespace {

using devenv::MachineEnd;
using devenv::MachineWatch;
using Image = CommandTest;
using Boot = CommandTest;

std::string result_line(const std::string& content) {
    char crc[9];
    std::snprintf(crc, sizeof crc, "%08x", exo::abi::result_crc32c(content));
    return content + std::string(exo::abi::result_checksum) + crc;
}
const std::string first_line = "Exo-OS 0.1.0, entered by multiboot2\n";

TEST(Watch, ResultsAndTheEndInAnyPieces) {
    const std::string text = "\x1b[2Jnoise\r\n" + first_line + result_line("exo-result 1 boot 1234 cycles") + "\r\n" +
                             "lost start of a line" + result_line("exo-result 1 a.b_2 18446744073709551615 ns") +
                             "\r\ntour: 10 of 10 steps passed\r\n";
    for (std::size_t piece = 1; piece < 40; ++piece) {
        std::string shown;
        MachineWatch watch([&](std::string_view part) { shown += part; });
        for (std::size_t at = 0; at < text.size(); at += piece) watch.take(text.substr(at, piece));
        EXPECT_EQ(watch.end(), MachineEnd::passed);
        ASSERT_EQ(watch.results().size(), 2u);
        EXPECT_EQ(watch.results()[0].name, "boot");
        EXPECT_EQ(watch.results()[0].value, 1234u);
        EXPECT_EQ(watch.results()[1].value, 18446744073709551615u);
        EXPECT_EQ(watch.results()[1].unit, "ns");
        EXPECT_EQ(watch.damaged_results(), 0u);
        EXPECT_EQ(watch.starts(), 1u);
        EXPECT_TRUE(shown.starts_with("^[[2Jnoise\nExo-OS")) << shown;
    }
}

TEST(Watch, EveryDamagedByteOfAResultIsNoticed) {
    const std::string good = result_line("exo-result 1 tour.leaks 12345 cycles");
    EXPECT_EQ(devenv::parse_result(good).value, 12345u);
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (const char wrong : {'0', 'x', ' ', '\x80'}) {
            std::string bad = good;
            if (bad[i] == wrong) continue;
            bad[i] = wrong;
            EXPECT_EQ(devenv::parse_result(bad).name, "") << bad;
        }
        std::string shorter = good;
        EXPECT_EQ(devenv::parse_result(shorter.erase(i, 1)).name, "") << shorter;
    }
    for (const char* content : {"exo-result 1 BAD 1 cycles", "exo-result 1 a -1 cycles", "exo-result 1 a 1",
                                "exo-result 1 a 18446744073709551616 ns", "exo-result 2 a 1 ns", "exo-result 1  1 ns"})
        EXPECT_EQ(devenv::parse_result(result_line(content)).name, "") << content;
}

TEST(Watch, EndsAreToldApart) {
    const auto end_of = [](const std::string& text) {
        MachineWatch watch({});
        watch.take(text);
        return watch.end();
    };
    EXPECT_EQ(end_of("tour: 9 of 10 steps passed\n"), MachineEnd::failed);
    EXPECT_EQ(end_of("PANIC: stack smashed (thread init)\n"), MachineEnd::panic);
    EXPECT_EQ(end_of("stress: passed\n"), MachineEnd::passed);
    EXPECT_EQ(end_of("stress: FAILED\n"), MachineEnd::failed);
    for (const char* no_end :
         {"tour: 10 of 10 steps passed", "tour: leaks\n", "tour:  steps passed\n", "tour: 1 of x steps passed\n",
          "tour:  of  steps passed\n", "tour: steps passed\n", "\n"})
        EXPECT_EQ(end_of(no_end), MachineEnd::none) << no_end;
}

TEST(Watch, ARestartBeginsAnewAndFloodsAreBounded) {
    MachineWatch watch({});
    watch.take(first_line + result_line("exo-result 1 old 1 ns") + "\nexo-result 1 torn\n" + first_line);
    EXPECT_TRUE(watch.results().empty());
    EXPECT_EQ(watch.damaged_results(), 0u);
    EXPECT_EQ(watch.starts(), 2u);
    const std::string noise(1 << 20, '\x07');
    while (!watch.flooded()) watch.take(noise);
    EXPECT_LE(watch.console().size(), 2 * MachineWatch::shown_max);
    EXPECT_TRUE(watch.cut());
    watch.take("\ntour: 1 of 1 steps passed\n");
    EXPECT_EQ(watch.end(), MachineEnd::passed);
}

// A pseudo-terminal whose other side is the device that `boot --serial` watches.
struct Machine {
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    std::string device;
    Machine() {
        grantpt(master);
        unlockpt(master);
        device = ptsname(master);
    }
    ~Machine() { unplug(); }
    void unplug() {
        if (master >= 0) close(master);
        master = -1;
    }
    void say(const std::string& text) const {
        for (std::size_t at = 0; at < text.size();) {
            const ssize_t count = ::write(master, text.data() + at, text.size() - at);
            if (count <= 0) return;
            at += std::size_t(count);
        }
    }
};

// Runs `act` once boot says that it is watching, and gives boot's own result.
template <typename F>
CommandTest::Result watched(const CommandTest& test, const std::string& line, F&& act) {
    CommandTest::Result result;
    std::filesystem::remove(test.folder / "err");  // what the command before it said
    std::thread boot([&] { result = test.shell(line); });
    for (int i = 0; i < 600; ++i) {
        const std::string err = CommandTest::read(test.folder / "err");
        if (err.find("watching ") != std::string::npos || err.find("the line is ") != std::string::npos) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    act();
    boot.join();
    return result;
}

TEST_F(Boot, AMachineThatPasses) {
    Machine machine;
    write("sim.json", R"({"marks": [{"name": "boot", "median": 617}]})");
    const Result result =
        watched(*this, "$DEV boot --serial " + machine.device + " --compare sim.json --timeout 60 --json", [&] {
            machine.say(first_line + result_line("exo-result 1 boot 1234 cycles") + "\n" +
                        "tour: 3 of 3 steps passed\n");
        });
    ASSERT_EQ(result.status, 0) << result.err;
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_EQ(json["stop"], "passed");
    ASSERT_EQ(json["results"].size(), 1u);
    EXPECT_EQ(json["results"][0]["value"], 1234);
    EXPECT_EQ(json["results"][0]["simulated"], 617);
}

TEST_F(Boot, AMachineThatFailsGarblesOrGoesAway) {
    const std::string boot = "$DEV boot --timeout 60 --serial ";
    Machine failing, garbling, going;
    EXPECT_EQ(watched(*this, boot + failing.device, [&] { failing.say("tour: 2 of 3 steps passed\n"); }).status, 3);
    const Result damaged = watched(*this, boot + garbling.device, [&] {
        garbling.say("\x01\xff\x1b]0;x\x07 exo-result 1 boot 12 cycles crc32c=00000000\ntour: 3 of 3 steps passed\n");
    });
    EXPECT_EQ(damaged.status, 1);
    EXPECT_NE(damaged.err.find("1 result lines were damaged"), std::string::npos) << damaged.err;
    EXPECT_EQ(std::count_if(damaged.out.begin(), damaged.out.end(), [](char c) { return c != '\n' && c < ' '; }), 0);
    const Result gone = watched(*this, boot + going.device, [&] {
        going.say("tour: leaks\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        going.unplug();
    });
    EXPECT_EQ(gone.status, 4) << gone.err;
    EXPECT_NE(gone.err.find("went away"), std::string::npos) << gone.err;
    Machine silent;
    EXPECT_EQ(shell("$DEV boot --timeout 0.3 --serial " + silent.device).status, 5);
}

TEST_F(Boot, LinesThatCannotBeWatched) {
    EXPECT_EQ(shell("$DEV boot").status, 2);
    EXPECT_EQ(shell("$DEV boot --serial /dev/nosuch").status, 2);
    EXPECT_EQ(shell("$DEV boot --serial /dev/null").status, 2);
    const Result a_folder = shell("$DEV boot --serial .");
    EXPECT_EQ(a_folder.status, 2);
    EXPECT_NE(a_folder.err.find("no terminal device"), std::string::npos) << a_folder.err;
    EXPECT_EQ(shell("$DEV boot --pty --serial /dev/null").status, 2);
    EXPECT_EQ(shell("$DEV boot --pty --baud 12345").status, 2);
    EXPECT_EQ(shell("$DEV boot --pty --compare nosuch.json").status, 2);
    write("no.json", "{}");
    EXPECT_EQ(shell("$DEV boot --pty --compare no.json").status, 2);
    Machine machine;
    const Result second = shell("$DEV boot --timeout 30 --serial " + machine.device + " 2>first & first=$!; " +
                                "until grep -q watching first; do sleep 0.1; done; $DEV boot --serial " +
                                machine.device + "; status=$?; kill $first; wait $first; exit $status");
    EXPECT_EQ(second.status, 4) << second.err;
    EXPECT_NE(second.err.find("in use"), std::string::npos) << second.err;
}

// QEMU as the machine, on the pseudo-terminal that boot opens.
TEST_F(Boot, QemuIsHeardOverAPseudoTerminal) {
    const Result result = watched(*this, "$DEV boot --pty --timeout 100 --json", [&] {
        const std::string err = read(folder / "err");
        const std::string name = err.substr(err.find("/dev/pts/"));
        const std::string qemu =
            "timeout 100 qemu-system-x86_64 -M pc -m 128 -display none -monitor none -no-reboot -nic none -vga none "
            "-device isa-debug-exit,iobase=0xf4,iosize=4 -kernel " EXO_KERNEL " -append 'results=1' -serial " +
            name.substr(0, name.find_first_of("; \n")) + " >/dev/null 2>&1 </dev/null";
        EXPECT_NE(std::system(qemu.c_str()), -1);
    });
    const auto json = nlohmann::json::parse(result.out);
    EXPECT_TRUE(json["stop"] == "passed" || json["stop"] == "failed") << json;  // a starved emulator preempts nobody
    EXPECT_EQ(json["damaged_results"], 0);
    EXPECT_GE(json["results"].size(), 15u);
    EXPECT_EQ(json["starts"], 1);
}

// --- image -----------------------------------------------------------------------------------------------------------

TEST_F(Image, SameKernelSameBytes) {
    ASSERT_EQ(shell("$DEV image -o one --json > made").status, 0) << read(folder / "err");
    const auto json = nlohmann::json::parse(read(folder / "made"));
    EXPECT_EQ(json["images"].size(), 2u);
    ASSERT_EQ(shell("mkdir -p a/b; cd a/b; TZ=Asia/Tokyo SOURCE_DATE_EPOCH=1 $DEV image -o '../two folders'").status,
              0);
    EXPECT_EQ(shell("cmp one/exo.iso 'a/two folders/exo.iso' && cmp one/exo.img 'a/two folders/exo.img'").status, 0);
    EXPECT_EQ(shell("[ $(ls -A one | wc -l) = 2 ]").status, 0);
    EXPECT_EQ(shell("$DEV image -o one --cmdline scenario=idle; cmp one/exo.iso 'a/two folders/exo.iso'").status, 1);
    // The image that was studied is the image that boots.
    EXPECT_EQ(shell("mcopy -i one/exo.img@@1M ::boot/exo.elf k.elf && cmp k.elf $KERNEL").status, 0);
}

TEST_F(Image, WhatCannotBeMadeLeavesNothing) {
    const Result full =
        shell("mkdir made; (ulimit -f 400; $DEV image -o made); s=$?; [ -z \"$(ls -A made)\" ] || s=99; exit $s");
    EXPECT_EQ(full.status, 1) << full.err;
    EXPECT_NE(full.err.find("made: cannot be written"), std::string::npos) << full.err;
    EXPECT_EQ(shell("$DEV image -o /proc/nowhere").status, 2);
    write("file", "");
    EXPECT_EQ(shell("$DEV image -o file/below").status, 2);
    EXPECT_EQ(shell("$DEV image --kernel nosuch.elf -o made").status, 2);
    const Result no_kernel = shell("$DEV image --kernel $DEV -o made");
    EXPECT_EQ(no_kernel.status, 2);
    EXPECT_NE(no_kernel.err.find("no multiboot2 header"), std::string::npos) << no_kernel.err;
    for (const char* bad : {"'a\"b'", "\"it's\"", "'a\\b'", "\"$(printf 'a\\nb')\"", "\"$(printf %2000s x)\""})
        EXPECT_EQ(shell("$DEV image -o made --cmdline " + std::string(bad)).status, 2) << bad;
    EXPECT_EQ(shell("$DEV image -o made --screen huge").status, 2);
    const Result missing = shell("PATH=/nowhere $DEV image -o made");
    EXPECT_EQ(missing.status, 4);
    EXPECT_NE(missing.err.find("grub-common"), std::string::npos) << missing.err;
    EXPECT_EQ(shell("ls -A made").out, "");
}

// A disk of a PC without any emulator's door: the kernel ends it by ACPI, or QEMU would run into its time limit.
TEST_F(Image, TheDiskBootsAndAcpiSwitchesThePcOff) {
    ASSERT_EQ(shell("$DEV image -o . --menu 0").status, 0);
    const Result result = shell(
        "timeout 100 qemu-system-x86_64 -M pc -m 128 -display none -monitor none -nic none -no-reboot "
        "-drive file=exo.img,format=raw -serial stdio </dev/null");
    EXPECT_EQ(result.status, 0) << result.out << result.err;
    EXPECT_NE(result.out.find("steps passed"), std::string::npos) << result.out;
}

}  // namespace
