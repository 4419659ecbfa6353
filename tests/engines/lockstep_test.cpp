// SPDX-License-Identifier: GPL-2.0-or-later
// Two engines, one image, every instruction compared: the kernel's tour, the contract suite and generated sequences
// agree; a leader that tells one wrong bit is found at that instruction.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sim/image/image.hpp>
#include <sim/lockstep/known_differences.hpp>
#include <sim/lockstep/leader.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/lockstep/sequences/sequences.hpp>

namespace {

using sim::ArchitecturalState;
using sim::LockstepConfig;
using sim::LockstepResult;

struct Lockstep : testing::Test {
    void SetUp() override {
        char name[] = "/tmp/exo-lockstep-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    LockstepConfig config(const std::filesystem::path& path) {
        image = sim::Image::load(path);
        LockstepConfig result;
        result.image = image.get();
        result.image_path = path;
        result.plugin = EXO_LOCKSTEP_PLUGIN;
        result.command_line = "seed=0";
        return result;
    }

    std::filesystem::path sequences(unsigned count, std::uint64_t seed, sim::lockstep::SequenceImage& generated) {
        generated = sim::lockstep::generate_sequences(*sim::Image::load(EXO_SEQUENCES_GUEST), count, seed);
        const std::filesystem::path path = folder / "sequences.elf";
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(generated.elf.data()), std::streamsize(generated.elf.size()));
        return path;
    }

    std::filesystem::path folder;
    std::unique_ptr<sim::Image> image;
};

std::string describe(const LockstepResult& result) {
    std::string out = std::string(sim::name(result.run.stop)) + ": " + result.run.detail;
    if (!result.difference) return out;
    out += "\n" + result.difference->what;
    for (const sim::Field& field : result.difference->fields)
        out += (testing::Message() << "\n  " << field.name << std::hex << " " << field.leader << " " << field.follower)
                   .GetString();
    for (const auto& one : result.difference->last)
        out += (testing::Message() << "\n  " << one.index << std::hex << " " << one.address).GetString();
    return out;
}

void expect_equal(const LockstepResult& result) {
    EXPECT_FALSE(result.difference) << describe(result);
    EXPECT_EQ(result.run.stop, sim::StopReason::power_off) << describe(result);
    EXPECT_GT(result.ram_compared, 0u);
    EXPECT_EQ(result.ram_differing, 0u);
    EXPECT_EQ(result.leader_console, result.follower_console);
}

TEST_F(Lockstep, TheTourIsTheSameInstructionByInstruction) {
    const LockstepResult result = run_lockstep(config(EXO_KERNEL));
    expect_equal(result);
    EXPECT_GT(result.compared, result.run.instructions);  // iterations of string instructions, and what faulted
    EXPECT_GT(result.interrupts, 0u);
    EXPECT_GT(result.inputs.at("port"), 0u);
    EXPECT_GT(result.inputs.at("tsc"), 0u);
    EXPECT_NE(result.follower_console.find("10 of 10 steps passed"), std::string::npos);
}

TEST_F(Lockstep, TheContractSuiteIsTheSame) {
    LockstepConfig contract = config(EXO_CONTRACT);
    contract.command_line = "scenario=contract seed=0";
    expect_equal(run_lockstep(contract));
}

TEST_F(Lockstep, GeneratedSequencesAreTheSame) {
    constexpr unsigned count = 304;
    sim::lockstep::SequenceImage generated;
    const LockstepResult result = run_lockstep(config(sequences(count, 1, generated)));
    expect_equal(result);
    ASSERT_EQ(generated.sequences.size(), count);
    EXPECT_GT(result.compared, count * 30u);
    if (!result.difference) return;
    for (auto one = result.difference->last.rbegin(); one != result.difference->last.rend(); ++one)
        if (const auto* sequence = generated.at(one->address)) {
            ADD_FAILURE() << "sequence " << sequence->number << " (" << sequence->kind << ") of seed "
                          << sequence->seed;
            break;
        }
}

// A leader that tells what another one tells, but for one word.
class WrongLeader final : public sim::lockstep::Leader {
  public:
    WrongLeader(std::unique_ptr<Leader> right, std::uint64_t state, std::function<void(ArchitecturalState&)> change)
        : right_(std::move(right)), left_(state), change_(std::move(change)) {}
    void enter() override { right_->enter(); }
    std::span<const std::uint8_t> ram() const override { return right_->ram(); }
    bool next(ArchitecturalState& state) override {
        if (!right_->next(state)) return false;
        if (left_-- == 0) change_(state);
        return true;
    }
    bool silent() const override { return right_->silent(); }
    int finish(bool end_it) override { return right_->finish(end_it); }
    std::string name() const override { return right_->name(); }
    std::string errors() const override { return right_->errors(); }

  private:
    std::unique_ptr<Leader> right_;
    std::uint64_t left_;
    std::function<void(ArchitecturalState&)> change_;
};

struct WrongWord {
    const char* field;
    void (*change)(ArchitecturalState&);
};

struct LockstepDifference : Lockstep, testing::WithParamInterface<WrongWord> {};

TEST_P(LockstepDifference, OneWrongWordIsFoundAtItsInstruction) {
    constexpr std::uint64_t at = 3000;
    LockstepConfig wrong = config(EXO_KERNEL);
    WrongLeader leader(sim::lockstep::make_qemu_leader({.image = EXO_KERNEL,
                                                        .plugin = EXO_LOCKSTEP_PLUGIN,
                                                        .command_line = "seed=0",
                                                        .entry = *wrong.image->pvh_entry()}),
                       at, GetParam().change);
    const LockstepResult result = run_lockstep(wrong, leader);
    ASSERT_TRUE(result.difference);
    EXPECT_EQ(result.compared, at);
    ASSERT_EQ(result.difference->fields.size(), 1u) << describe(result);
    EXPECT_EQ(result.difference->fields[0].name, GetParam().field);
    EXPECT_EQ(result.difference->last.size(), 20u);
    EXPECT_EQ(result.run.stop, sim::StopReason::imposed);
}

INSTANTIATE_TEST_SUITE_P(Words, LockstepDifference,
                         testing::Values(WrongWord{"r12", [](ArchitecturalState& s) { s.general[12] ^= 1; }},
                                         WrongWord{"fs.base", [](ArchitecturalState& s) { s.segments[4].base = 4096; }},
                                         WrongWord{"mxcsr", [](ArchitecturalState& s) { s.mxcsr ^= 0x20; }}),
                         [](const auto& it) {
                             std::string name = it.param.field;
                             std::replace(name.begin(), name.end(), '.', '_');
                             return name;
                         });

TEST(KnownDifferences, UndefinedFlagsAreThoseOfTheManual) {
    using sim::lockstep::Executed;
    constexpr std::uint64_t cf = 1, af = 0x10, zf = 0x40, of = 0x800;
    const auto explained = [](const char* opcode, std::uint8_t immediate, std::uint64_t bits) {
        sim::Instruction instruction{};
        instruction.length = 1;
        const std::uint8_t bytes[1] = {immediate};
        ArchitecturalState before{};
        before.general[1] = immediate;
        return !explain_flags(bits, Executed{opcode, &instruction, bytes, &before}).empty();
    };
    EXPECT_TRUE(explained("SHL32ri", 2, of));
    EXPECT_FALSE(explained("SHL32ri", 1, of));
    EXPECT_FALSE(explained("SHL32ri", 32, af));  // a count of 0 changes nothing
    EXPECT_TRUE(explained("SHL8ri", 9, cf));
    EXPECT_FALSE(explained("SAR8ri", 9, cf));
    EXPECT_TRUE(explained("ROL64rCL", 5, of));
    EXPECT_FALSE(explained("ROL64rCL", 5, cf));
    EXPECT_TRUE(explained("IMUL32rr", 0, zf));
    EXPECT_FALSE(explained("IMUL32rr", 0, cf));
    EXPECT_TRUE(explained("AND32rr", 0, af));
    EXPECT_FALSE(explained("ADD32rr", 0, af));
    EXPECT_FALSE(explained("ANDN32rr", 0, zf));
}

}  // namespace
