// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev time as its user sees it. The cycles of small blocks are pinned by a table, so that a change of the model
// shows as a reviewed difference; EXO_UPDATE_GOLDEN=1 in the environment writes it again.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "command.hpp"

namespace {

class Time : public CommandTest {
  protected:
    nlohmann::json json(const std::string& options) const {
        const Result result = shell("$DEV time --json " + options);
        EXPECT_EQ(result.status, 0) << options << "\n" << result.err;
        return nlohmann::json::parse(result.out, nullptr, false);
    }
    void expect_table(const std::string& cpu) const;
};

// traces/golden/blocks.CPU.tsv; where there is none yet, its blocks are znver4's.
void Time::expect_table(const std::string& cpu) const {
    const auto file = [](const std::string& name) {
        return std::filesystem::path(EXO_SOURCE) / "traces" / "golden" / ("blocks." + name + ".tsv");
    };
    const std::filesystem::path golden = file(cpu);
    std::istringstream table(read(exists(golden) ? golden : file("znver4")));
    std::string line, hexes;
    std::vector<std::string> texts;
    for (std::getline(table, line); std::getline(table, line);) {  // behind the header
        hexes += line.substr(0, line.find('\t')) + "\n";
        texts.push_back(line.substr(line.rfind('\t') + 1));
    }
    ASSERT_GE(texts.size(), 30u);
    write("blocks", hexes);
    const Result result = shell("$DEV time --cpu " + cpu + " --batch blocks");
    ASSERT_EQ(result.status, 0) << result.err;
    std::istringstream answers(result.out);
    std::string now = "hex\tcycles\tblock\n";
    for (const std::string& text : texts) {
        ASSERT_TRUE(std::getline(answers, line)) << text;
        now += line.replace(line.find(','), 1, "\t") + "\t" + text + "\n";
    }
    if (std::getenv("EXO_UPDATE_GOLDEN")) std::ofstream(golden) << now;
    EXPECT_EQ(now, read(golden)) << "The model has changed. If that is meant: EXO_UPDATE_GOLDEN=1, and look at it.";
}

TEST_F(Time, BlocksTakeWhatTheTableSays) { expect_table("znver4"); }
TEST_F(Time, BlocksTakeWhatTheTableOfZen5Says) { expect_table("znver5"); }
TEST_F(Time, BlocksTakeWhatTheTableOfZen3Says) { expect_table("znver3"); }
TEST_F(Time, BlocksTakeWhatTheTableOfSkylakeSays) { expect_table("skylake-avx512"); }

TEST_F(Time, BothSyntaxesMeanTheSameBlock) {
    const auto intel = json("--asm 'add rax, qword ptr [rdi + 8]; imul rbx, rcx'");
    const auto att = json("--asm 'addq 8(%rdi), %rax; imulq %rcx, %rbx'");
    EXPECT_EQ(intel["hex"], "48034708480fafd9");
    EXPECT_EQ(att["hex"], intel["hex"]);
    EXPECT_EQ(json("--syntax att --asm 'nop; ret'")["hex"], "90c3");
    EXPECT_EQ(json("--asm 'again: dec rax; jnz again'")["hex"], "48ffc875fb");
}

TEST_F(Time, SaysWhatLimits) {
    const auto chain = json("--asm 'imul rax, rbx; mov rcx, rdx' --timeline 3");
    EXPECT_EQ(chain["bounds"][0]["name"], "dependency chain");
    EXPECT_EQ(chain["instructions"][0]["on_chain"], true);
    EXPECT_EQ(chain["instructions"][1]["on_chain"], false);
    ASSERT_EQ(chain["timeline"].size(), 6u);
    for (const auto& one : chain["timeline"]) {
        EXPECT_LE(one["dispatch"], one["issue"]);
        EXPECT_LE(one["issue"], one["complete"]);
        EXPECT_LT(one["complete"], one["retire"]);
    }
    const auto units = json("--asm 'imul rax, r8, 3; imul rbx, r8, 3; imul rcx, r8, 3; imul rdx, r8, 3'");
    EXPECT_EQ(units["bounds"][0]["name"], "unit group") << units["bounds"];
    EXPECT_EQ(units["bounds"][0]["detail"], "ALU1");
    const auto waits = json("--asm 'imul rax, r8; imul rbx, r9; imul rcx, rax' --timeline 2")["timeline"];
    EXPECT_EQ(waits[4]["wait"], "unit") << waits;
    EXPECT_EQ(waits[4]["units"], "ALU1") << waits;
    EXPECT_EQ(waits[5]["wait"], "dependency") << waits;
    EXPECT_EQ(waits[5]["producer"], 0) << waits;
    EXPECT_EQ(json("--asm 'mov rax, r8; mov rbx, r8; mov rcx, r8'")["bounds"][0]["name"], "dispatch width");
    EXPECT_EQ(json("--asm 'jmp 1f; 1: jmp 2f; 2:'")["bounds"][0]["name"], "front end");
    EXPECT_EQ(json("--asm 'mfence'")["bounds"][0]["name"], "serialisation");
    const auto ideal = json("--cpu ideal --asm 'imul rax, rbx; div rcx' --timeline 1");
    EXPECT_EQ(ideal["cycles"], 2.0);
    EXPECT_EQ(ideal["timeline"].size(), 2u);
    const Result text = shell("$DEV time --asm 'imul rax, rbx' --timeline 2");
    EXPECT_NE(text.out.find("Limited by: dependency chain"), std::string::npos) << text.out;
    EXPECT_NE(text.out.find("eeeER"), std::string::npos) << text.out;
    EXPECT_NE(text.out.find("dependency on 0,0\n"), std::string::npos) << text.out;
    EXPECT_NE(text.out.find("dependency on 0 of an iteration before"), std::string::npos) << text.out;
}

// A load through a pointer that was stored and loaded again meets the store behind it.
TEST_F(Time, AddressesAreFollowedThroughMemoryAndTheStack) {
    EXPECT_EQ(json("--asm 'mov [rdi], rsi; mov rbx, [rdi]; mov [rsi], eax; mov rax, [rbx]'")["bounds"][0]["name"],
              "dependency chain");
    const double apart = json("--asm 'mov [rdi], eax; mov rax, [rsi]'")["cycles"];
    const double meeting = json("--asm 'mov [rdi], eax; mov rax, [rdi]'")["cycles"];
    EXPECT_GT(meeting, apart + 10) << "an 8-byte load behind a 4-byte store waits for the cache";
}

TEST_F(Time, BadBlocksAreNamedByPlace) {
    const struct {
        const char *options, *says;
    } cases[] = {
        {"--hex 9006", "at byte 1 (06)"},
        {"--hex 480", "odd number"},
        {"--hex 90zz", "character 3"},
        {"--hex ''", "empty"},
        {"--hex 90f4", "privileged instruction at byte 1 (f4)"},
        {"--hex 0f05", "at byte 0 (0f 05)"},
        {"--asm 'mov rax'", "line 1"},
        {"--asm 'call somewhere'", "'somewhere' is not defined"},
        {"--asm '.rept 1000000000; nop; .endr'", ".rept"},
        {"--elf $ENDS --symbol nosuch", "'nosuch'"},
        {"--elf $KERNEL --symbol memcppy", "did you mean memcpy"},
        {"--elf $KERNEL --symbol switchto", "::switch_to"},
        {"--elf /nowhere --symbol x", "/nowhere"},
        {"--elf /etc/passwd --symbol x", "no ELF file"},
        {"--elf /dev/zero --symbol x", "is a device"},
        {"--elf $ENDS", "--symbol"},
        {"--hex 90 --cpu pdp11", "exo-dev cpus"},
        {"--batch /dev/null --cpu pdp11", "pdp11"},
        {"--batch /nowhere", "/nowhere"},
        {"--hex 90 --asm nop", "one block"},
        {"", "one block"},
        {"--hex 90 --timeline 101", "101"},
    };
    for (const auto& c : cases) {
        const Result result = shell("$DEV time " + std::string(c.options));
        EXPECT_EQ(result.status, 2) << c.options;
        EXPECT_EQ(result.out, "") << c.options;
        EXPECT_NE(result.err.find(c.says), std::string::npos) << c.options << "\n" << result.err;
    }
}

TEST_F(Time, FunctionsAreFoundByName) {
    const auto function = json("--elf $KERNEL --symbol memcpy");
    EXPECT_GT(function["bytes"], 5);
    EXPECT_NE(function["source"].get<std::string>().find("memcpy"), std::string::npos);
}

TEST_F(Time, BatchKeepsTheOrderAndSkipsBadLines) {
    write("lines", "4801d8\nzz\n\n f4\n480fafc3\r\n48 01 d8\n90");  // the last one without an end
    const Result result = shell("$DEV time --batch lines");
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "4801d8,1.000\n480fafc3,3.000\n48 01 d8,1.000\n90,0.083\n");
    for (const char* says : {"line 2: ", "line 3: ", "line 4: ", "3 of 7 lines"})
        EXPECT_NE(result.err.find(says), std::string::npos) << result.err;
    EXPECT_EQ(shell("echo 90 | $DEV time --batch - --json").out, "{\"hex\":\"90\",\"cycles\":0.08333333333333333}\n");
    EXPECT_EQ(shell("$DEV time --batch - < /dev/null").status, 0);
    const Result huge = shell("printf '%0140000d\\n' 0 | $DEV time --batch -");
    EXPECT_EQ(huge.status, 1);
    EXPECT_NE(huge.err.find("at most 65536"), std::string::npos) << huge.err.substr(0, 200);
}

TEST_F(Time, AFloodOfLinesIsAnsweredInOrder) {
    const Result result = shell(
        "for i in $(seq 1000); do printf '4883c0%02x\\n480fafc3\\n' $((i % 128)); done > many; $DEV time --batch many "
        "> "
        "out.csv && cut -d, -f1 out.csv | cmp - many && wc -l < out.csv");
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(std::atoi(result.out.c_str()), 2000);
}

TEST_F(Time, LinesWithoutEndNeedNoMemory) {
    const Result result = shell(
        "{ head -c 100000000 /dev/zero | tr '\\0' 9; echo; echo 90; } | (ulimit -v 4000000; $DEV time --batch -)");
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "90,0.083\n");
    EXPECT_NE(result.err.find("line 1: "), std::string::npos) << result.err;
}

TEST_F(Time, ALineAtATimeIsAnsweredAtOnce) {
    const Result result = shell(
        "mkfifo in answers; $DEV time --batch - < in > answers & exec 3> in 4< answers; echo 90 >&3; read first "
        "<&4; "
        "echo 4801d8 >&3; read second <&4; exec 3>&-; wait $!; echo \"$? $first $second\"");
    EXPECT_EQ(result.out, "0 90,0.083 4801d8,1.000\n") << result.err;
}

TEST_F(Time, EndsInOrder) {
    const Result interrupt = shell(
        "mkfifo in; $DEV time --batch - < in & p=$!; exec 3> in; echo 90 >&3; sleep 1; kill -TERM $p; wait $p; echo "
        "$?");
    EXPECT_NE(interrupt.out.find("130"), std::string::npos) << interrupt.out;
    const Result reader = shell("{ yes 90 | $DEV time --batch -; echo $? >&2; } | head -1");
    EXPECT_EQ(reader.out, "90,0.083\n");
    EXPECT_EQ(reader.err, "0\n");
    EXPECT_EQ(shell("$DEV time --hex 90 > /dev/full").status, 1);
    EXPECT_EQ(shell("$DEV time --hex 90 >&-").status, 1);
}

}  // namespace
