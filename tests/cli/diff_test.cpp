// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev diff from end to end, in a throw-away repository: a kernel of a few lines, built by a few lines of CMake,
// whose commits differ by a known number of instructions; and this tree's own kernel against itself.
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace {

using Json = nlohmann::json;

struct Diff : CommandTest {
    void SetUp() override {
        CommandTest::SetUp();
        std::filesystem::create_directories(folder / "tree/kernel");
        write("tree/kernel/board.inc", read(EXO_GUEST_SOURCES "/board.inc"));
        std::string script = read(EXO_GUEST_SOURCES "/guest.ld");
        const std::string notes = "*(.note*)";  // marks are notes: here they are kept
        ASSERT_NE(script.find(notes), std::string::npos);
        write("tree/kernel/guest.ld", script.replace(script.find(notes), notes.size(), ""));
        write("tree/.gitignore", "build/\n");
        write("tree/CMakeLists.txt",
              "cmake_minimum_required(VERSION 3.25)\nproject(tiny LANGUAGES ASM)\nadd_subdirectory(kernel)\n");
        write("tree/kernel/CMakeLists.txt",
              "add_executable(exo.elf kernel.S)\n"
              "target_compile_options(exo.elf PRIVATE -Wa,-I${CMAKE_CURRENT_SOURCE_DIR})\n"
              "target_link_options(exo.elf PRIVATE -nostdlib -static -no-pie -Wl,--build-id=none "
              "-Wl,--no-warn-rwx-segments\n"
              "  -Wl,-T,${CMAKE_CURRENT_SOURCE_DIR}/guest.ld)\n");
        ASSERT_EQ(git("init -q . && git config user.name a && git config user.email a@b.invalid").status, 0);
        commit(10);
        commit(16);
    }

    // The mark `work` holds so many multiplications, five times.
    void write_kernel(unsigned multiplications) const {
        write("tree/kernel/kernel.S",
              ".include \"board.inc\"\n"
              ".macro mark kind\n"
              "990: .pushsection .note.exo.marks,\"\",@note\n"
              ".balign 4\n"
              ".4byte 4, 992f-991f, 0x4d524b31\n"
              ".asciz \"exo\"\n"
              "991: .8byte 990b + HIGH\n"  // where it runs
              ".4byte \\kind\n"
              ".asciz \"work\"\n"
              "992: .balign 4\n"
              ".popsection\n"
              ".endm\n"
              "main: mov $5, %ebp\n"
              "again: mark 1\n"
              "work: .rept " +
                  std::to_string(multiplications) +
                  "\nimul $3, %rax, %rax\n.endr\n"
                  "mark 2\n"
                  "dec %ebp\n"
                  "jnz again\n"
                  "jmp power_off\n");
    }
    void commit(unsigned multiplications) const {
        write_kernel(multiplications);
        ASSERT_EQ(git("add -A && git commit -q -m change").status, 0);
    }
    Result git(const std::string& line) const { return shell("cd tree && git " + line); }
    Result diff(const std::string& arguments) const {
        return shell("cd tree && EXO_DEV_ROOT=$PWD $DEV diff " + arguments);
    }
};

TEST_F(Diff, TellsWhatACommitCost) {
    const Result result = diff("HEAD~1 HEAD --json");
    ASSERT_EQ(result.status, 0) << result.err;
    const Json json = Json::parse(result.out);
    EXPECT_EQ(json["same"], false);
    EXPECT_EQ(json["total"]["instructions"], 5 * 6);
    ASSERT_EQ(json["marks"].size(), 1u);
    EXPECT_EQ(json["marks"][0]["name"], "work");
    EXPECT_EQ(json["marks"][0]["count_before"], 5);
    EXPECT_EQ(json["marks"][0]["median"]["instructions"], 6);
    EXPECT_GT(json["marks"][0]["median"]["cycles"], 0);
    EXPECT_NE(result.err.find("building"), std::string::npos) << result.err;
    // Again: both images are there already, under names that hold the commit; nothing of the scratch trees is left.
    const Result again = diff("HEAD~1 HEAD");
    EXPECT_EQ(again.status, 0);
    EXPECT_EQ(again.err.find("building"), std::string::npos) << again.err;
    EXPECT_NE(again.out.find("+30"), std::string::npos) << again.out;
    EXPECT_EQ(shell("ls tree/build/diff | grep scratch").out, "");
    EXPECT_EQ(git("status --porcelain").out, "");
    // The other way round it got faster.
    EXPECT_EQ(Json::parse(diff("HEAD HEAD~1 --json").out)["total"]["instructions"], -5 * 6);
}

TEST_F(Diff, ThresholdDecidesTheStatus) {
    EXPECT_EQ(diff("HEAD~1 HEAD --threshold 500").status, 0);
    const Result slower = diff("HEAD~1 HEAD --threshold 5 --json");
    EXPECT_EQ(slower.status, 1);
    EXPECT_EQ(Json::parse(slower.out)["slower"], Json::array({"work"}));
    EXPECT_NE(slower.err.find("work"), std::string::npos) << slower.err;
    EXPECT_EQ(diff("HEAD HEAD~1 --threshold 0").status, 0);
    EXPECT_EQ(diff("HEAD --threshold -1").status, 2);
}

TEST_F(Diff, LooksAtTheWorkingTree) {
    const Result same = diff("HEAD --json");
    ASSERT_EQ(same.status, 0) << same.err;
    EXPECT_EQ(Json::parse(same.out)["same"], true);
    write_kernel(17);
    EXPECT_EQ(Json::parse(diff("HEAD --json").out)["total"]["instructions"], 5);
    write("tree/kernel/kernel.S", "no such instruction\n");
    const Result broken = diff("HEAD");
    EXPECT_EQ(broken.status, 1);
    EXPECT_NE(broken.err.find("does not build"), std::string::npos) << broken.err;
    EXPECT_NE(broken.err.find("kernel.S"), std::string::npos) << broken.err;
}

TEST_F(Diff, AnotherCompilerIsAnotherImage) {
    ASSERT_EQ(diff("HEAD HEAD~1").status, 0);
    write("other", "#!/bin/sh\n[ \"$1\" = --version ] && echo 'another compiler 1.0' && exit\nexec c++ \"$@\"\n");
    const Result other = shell("chmod +x other; cd tree && CXX=$PWD/../other EXO_DEV_ROOT=$PWD $DEV diff HEAD HEAD~1");
    EXPECT_EQ(other.status, 0) << other.err;
    EXPECT_NE(other.err.find("building"), std::string::npos) << other.err;
    EXPECT_EQ(shell("ls tree/build/diff/*.elf | wc -l").out, "4\n");
}

TEST_F(Diff, WaitsForAnotherOne) {
    const Result result = shell(
        "mkdir -p tree/build/diff; flock tree/build/diff/.lock sleep 1.5 & sleep 0.5; cd tree && EXO_DEV_ROOT=$PWD "
        "$DEV "
        "diff HEAD~1 HEAD; s=$?; wait; exit $s");
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.err.find("waiting for another"), std::string::npos) << result.err;
}

// Built in a scratch tree and in place, the kernel must come out the same: else every difference told is in doubt.
TEST_F(CommandTest, DiffOfThisKernelAgainstItselfIsNothing) {
    const Result result =
        shell("mkdir t && cd t && cp -r " EXO_SOURCE "/CMakeLists.txt " EXO_SOURCE "/kernel " EXO_SOURCE
              "/hal . && mkdir "
              "-p devenv && cp -r " EXO_SOURCE
              "/devenv/setup devenv/ && git init -q . && git add -A && git -c user.name=a -c user.email=a@b.invalid "
              "commit -q -m all && EXO_DEV_ROOT=$PWD $DEV diff HEAD --json");
    ASSERT_EQ(result.status, 0) << result.err;
    const Json json = Json::parse(result.out);
    EXPECT_EQ(json["same"], true) << result.out;
    EXPECT_GT(json["total"]["after"]["instructions"], 1'000'000);
}

}  // namespace
