// SPDX-License-Identifier: GPL-2.0-or-later
// Runs exo-dev by the shell, as its user does, in a scratch folder of the test.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

struct CommandTest : testing::Test {
    struct Result {
        int status;
        std::string out, err;
    };

    void SetUp() override {
        char name[] = "/tmp/exo-cli-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    static std::string read(const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void write(const std::string& name, const std::string& content) const {
        std::ofstream(folder / name, std::ios::binary) << content;
    }

    // `line` is shell text in which $DEV is exo-dev, $KERNEL the kernel and $ENDS, $COMPUTE, $CLOCK small guests.
    Result shell(const std::string& line) const {
        const std::string set_up = "cd " + folder.string() +
                                   "; DEV=" EXO_DEV "; ENDS=" EXO_GUESTS "/guest_ends; COMPUTE=" EXO_GUESTS
                                   "/guest_compute; CLOCK=" EXO_GUESTS "/guest_clock; KERNEL=" EXO_KERNEL "; ";
        const std::string command =
            "( " + set_up + line + " ) > " + (folder / "out").string() + " 2> " + (folder / "err").string();
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000, read(folder / "out"), read(folder / "err")};
    }

    std::filesystem::path folder;
};
