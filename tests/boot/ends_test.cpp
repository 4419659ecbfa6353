// SPDX-License-Identifier: GPL-2.0-or-later
// Guests and engines that do not end as they should: each is named, bounded, and leaves nothing behind.
#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "command.hpp"

namespace {

using namespace std::chrono_literals;

// Every process whose command line names `text`, but not this one.
std::vector<int> processes_with(const std::string& text) {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") != name.npos || name == std::to_string(getpid())) continue;
        std::ifstream file(entry.path() / "cmdline", std::ios::binary);
        const std::string line{std::istreambuf_iterator<char>(file), {}};
        if (line.find(text) != line.npos) found.push_back(std::stoi(name));
    }
    return found;
}

template <typename Condition>
bool eventually(const Condition& condition) {
    for (int i = 0; i < 1200; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(50ms);
    }
    return false;
}

struct Ends : CommandTest {
    // Copies guests and makes the run's folder, so that everything the run starts or leaves has the test's folder in
    // its name.
    void SetUp() override {
        CommandTest::SetUp();
        for (const char* kind : {"flood", "spin", "triple", "reset", "code"})
            std::filesystem::copy_file(std::string(EXO_GUESTS) + "/boot_" + kind, folder / kind);
        std::filesystem::create_directory(folder / "tmp");
    }
    Result run(const std::string& options) const { return shell("export TMPDIR=$PWD/tmp; $DEV run " + options); }
    bool nothing_left() const { return std::filesystem::is_empty(folder / "tmp"); }
    // The engine alone, not exo-dev or the shell.
    std::vector<int> engines(const std::string& program) const {
        std::vector<int> found;
        for (const int pid : processes_with(program)) {
            std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
            const std::string line{std::istreambuf_iterator<char>(file), {}};
            std::error_code gone;
            const std::string where = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", gone);
            if (line.starts_with(program) && (line.find(folder) != line.npos || where.starts_with(folder.string())))
                found.push_back(pid);
        }
        return found;
    }
};

TEST_F(Ends, AGuestThatFails) {
    for (const char* engine : {"qemu", "bochs"}) {
        const Result result = run("--kernel $KERNEL --scenario panic --engine " + std::string(engine));
        EXPECT_EQ(result.status, 3) << engine;
        EXPECT_NE(result.err.find("reports failure"), std::string::npos) << engine << result.err;
    }
    EXPECT_TRUE(nothing_left());
}

TEST_F(Ends, ANumberOfTheGuestsOwn) {
    const Result result = run("--engine qemu --kernel code");
    EXPECT_EQ(result.status, 3);
    EXPECT_NE(result.err.find("with code 5 (QEMU's status 11)"), std::string::npos) << result.err;
}

TEST_F(Ends, AResetIsNamedAndNotRepeated) {
    for (const char* options : {"--engine qemu --kernel triple", "--engine qemu --kernel reset",
                                "--engine qemu --kernel triple --firmware bios --real-time",
                                "--engine bochs --kernel triple", "--engine bochs --kernel reset"}) {
        const Result result = run(options + std::string(" --timeout 200"));
        EXPECT_EQ(result.status, 3) << options << result.err;
        EXPECT_NE(result.err.find("reset the machine"), std::string::npos) << options << result.err;
    }
    EXPECT_TRUE(nothing_left());
}

TEST_F(Ends, AGuestWithoutEndMeetsItsTimeLimit) {
    for (const char* options :
         {"--engine qemu --kernel spin", "--engine qemu --kernel spin --cpus 2", "--engine bochs --kernel spin"}) {
        const Result result = run(options + std::string(" --timeout 3 --json"));
        EXPECT_EQ(result.status, 5) << options << result.err;
        EXPECT_EQ(nlohmann::json::parse(result.out)["stop"], "time-limit");
        EXPECT_NE(result.err.find("raise --timeout"), std::string::npos) << result.err;
        EXPECT_EQ(result.err.find(" says:"), std::string::npos) << "nothing but the limit is news: " << result.err;
    }
    EXPECT_TRUE(nothing_left());
    EXPECT_TRUE(engines("qemu-system-x86_64").empty());
}

TEST_F(Ends, AFloodIsBounded) {
    for (const char* engine : {"unicorn", "qemu", "bochs"}) {
        const Result result = run("--kernel flood --console-limit 20 --engine " + std::string(engine));
        EXPECT_EQ(result.status, 5) << engine << result.err;
        EXPECT_LE(result.out.size(), 20u << 10) << engine;
        EXPECT_GT(std::count(result.out.begin(), result.out.end(), 'x'), 20'000) << engine;
        EXPECT_NE(result.err.find("raise --console-limit"), std::string::npos) << result.err;
    }
    for (const char* engine : {"unicorn", "qemu"}) {
        const Result result = shell(
            "export TMPDIR=$PWD/tmp; $DEV sim --json --no-trace --kernel flood --limit 5000000 "
            "--console-limit 20 --engine " +
            std::string(engine));
        EXPECT_EQ(result.status, 5) << engine << result.err;
        const auto json = nlohmann::json::parse(result.out);
        EXPECT_EQ(json["stop"], "console-limit") << engine;
        EXPECT_EQ(json["console"].get<std::string>().size(), 20u << 10) << engine;
        EXPECT_NE(result.err.find("raise --console-limit"), std::string::npos) << result.err;
    }
    EXPECT_TRUE(nothing_left());
}

TEST_F(Ends, AnEngineThatIsKilledIsNamed) {
    for (const std::string engine : {"qemu", "bochs"}) {
        const std::string program = engine == "qemu" ? "qemu-system-x86_64" : "bochs";
        std::thread killer([&] {
            eventually([&] {
                // Bochs is asked for its CPU models first: that one ends by itself.
                for (const int pid : engines(program)) {
                    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline", std::ios::binary);
                    const std::string line{std::istreambuf_iterator<char>(file), {}};
                    if (line.find("-kernel") != line.npos || line.find("bochsrc") != line.npos)
                        return kill(pid, SIGKILL) == 0;
                }
                return false;
            });
        });
        const Result result = run("--kernel $PWD/spin --engine " + engine);
        killer.join();
        EXPECT_EQ(result.status, 4) << engine << result.err;
        EXPECT_NE(result.err.find("was killed by signal 9"), std::string::npos) << result.err;
    }
    EXPECT_TRUE(nothing_left());
}

TEST_F(Ends, NothingOutlivesExoDevKilled) {
    for (const std::string engine : {"qemu --firmware bios --real-time", "bochs"}) {
        const std::string program = engine == "bochs" ? "bochs" : "qemu-system-x86_64";
        std::thread killer([&] {
            EXPECT_TRUE(eventually([&] { return !engines(program).empty() && !nothing_left(); }));
            std::ifstream file(folder / "pid");
            int pid = 0;
            file >> pid;
            EXPECT_EQ(kill(pid, SIGKILL), 0);
        });
        const Result result = shell("export TMPDIR=$PWD/tmp; $DEV run --kernel $PWD/spin --engine " + engine +
                                    " & echo $! >pid; wait $!");
        killer.join();
        EXPECT_EQ(result.status, 128 + SIGKILL);
        EXPECT_TRUE(eventually([&] { return engines(program).empty(); })) << engine;
        EXPECT_TRUE(eventually([&] { return nothing_left(); })) << engine;
    }
}

TEST_F(Ends, CtrlC) {
    std::thread interrupter([&] {
        EXPECT_TRUE(eventually([&] { return !engines("qemu-system-x86_64").empty(); }));
        std::ifstream file(folder / "pid");
        int pid = 0;
        file >> pid;
        EXPECT_EQ(kill(pid, SIGTERM), 0);  // a shell's background job ignores SIGINT
    });
    const Result result =
        shell("export TMPDIR=$PWD/tmp; $DEV run --kernel $PWD/spin --engine qemu & echo $! >pid; wait $!");
    interrupter.join();
    EXPECT_EQ(result.status, 130) << result.err;
    EXPECT_TRUE(nothing_left());
}

TEST_F(Ends, AFolderThatCannotBeWritten) {
    const Result result = shell("TMPDIR=/proc/self $DEV run --engine qemu --kernel spin");
    EXPECT_EQ(result.status, 4);
    EXPECT_NE(result.err.find("set TMPDIR"), std::string::npos) << result.err;
}

TEST_F(Ends, EnginesOfOtherVersions) {
    const std::string stand_in =
        "mkdir -p bin; printf '#!/bin/sh\\necho \"%s\"\\n' >bin/qemu-system-x86_64; "
        "chmod +x bin/qemu-system-x86_64; PATH=$PWD/bin:$PATH; $DEV run --engine qemu --kernel spin";
    const auto with = [&](const std::string& answer) {
        std::string line = stand_in;
        return shell(line.replace(line.find("%s"), 2, answer));
    };
    const Result old = with("QEMU emulator version 6.2.0 (Debian)");
    EXPECT_EQ(old.status, 4);
    EXPECT_NE(old.err.find("QEMU 6.2.0 is too old"), std::string::npos) << old.err;
    const Result other = with("QEMU emulator version 9.0.1");
    EXPECT_EQ(other.status, 4);  // the stand-in ends at once
    EXPECT_NE(other.err.find("QEMU 9.0.1: only 7.2 has been tried"), std::string::npos) << other.err;
    EXPECT_EQ(with("something else").status, 4);
    const Result none = shell("mkdir none; PATH=$PWD/none $DEV run --engine qemu --kernel spin");
    EXPECT_EQ(none.status, 4);
    EXPECT_NE(none.err.find("install the package qemu-system-x86"), std::string::npos) << none.err;
    const Result bochs = shell("PATH=$PWD/none $DEV run --engine bochs --kernel spin");
    EXPECT_EQ(bochs.status, 4);
    EXPECT_NE(bochs.err.find("install the packages bochs"), std::string::npos) << bochs.err;
}

TEST_F(Ends, OptionsThatDoNotFit) {
    const auto refused = [&](const std::string& options, const char* why) {
        const Result result = run(options);
        EXPECT_EQ(result.status, 2) << options;
        EXPECT_NE(result.err.find(why), std::string::npos) << options << result.err;
    };
    refused("--firmware uefi", "--firmware is only for --engine qemu");
    refused("--engine qemu --quantum 50", "--quantum is only for --engine unicorn");
    refused("--engine qemu --clock cycles", "--clock is only for --engine unicorn");
    refused("--engine bochs --machine pc", "--machine is only for --engine qemu");
    refused("--engine qemu --machine microvm --firmware bios", "microvm boots by --firmware pvh only");
    refused("--engine qemu --kernel nonesuch", "no such file");
    refused("--engine bochs --kernel $DEV", "no multiboot2 header");
    const Result pvh = run("--engine qemu --kernel $DEV");
    EXPECT_EQ(pvh.status, 4);
    EXPECT_NE(pvh.err.find("QEMU ended with status 1 before the guest ran"), std::string::npos) << pvh.err;
    const Result cpu = run("--engine bochs --kernel spin --cpu nonesuch");
    EXPECT_EQ(cpu.status, 4);
    EXPECT_NE(cpu.err.find("no CPU model 'nonesuch'; it has"), std::string::npos) << cpu.err;
}

}  // namespace
