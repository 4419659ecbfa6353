// SPDX-License-Identifier: GPL-2.0-or-later
// The leader without a plugin: QEMU's log tells the states that the plugin tells, a QEMU whose plugin cannot tell them
// is followed by its log without being asked to, and a damaged log is an error, never a state.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>
#include <sim/lockstep/comparison.hpp>
#include <sim/lockstep/leader.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/lockstep/sequences/sequences.hpp>
#include <sim/lockstep/state_log.hpp>

namespace {

using sim::ArchitecturalState;
using sim::lockstep::StateLog;

std::string dump(std::uint64_t rip, std::uint64_t rax) {
    char text[4096];
    std::snprintf(text, sizeof text,
                  "Trace 0: 0x7fa39009fb40 [0000000000000000/%016llx/0080c4b0/ff020201] _ZN3exo5Buddy\n"
                  "RAX=%016llx RBX=0000000000000001 RCX=0000000000000002 RDX=0000000000000003\n"
                  "RSI=ffffffff8027fe98 RDI=0000000000000047 RBP=ffffffff8027ff10 RSP=ffffffff8027fe70\n"
                  "R8 =0000000000000008 R9 =ffffffff80276020 R10=ffffffff80276368 R11=0000000000000200\n"
                  "R12=ffffffff80276020 R13=0000000000000000 R14=0000000000000006 R15=ffff888000100128\n"
                  "RIP=%016llx RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\n"
                  "ES =0000 0000000000000000 00000000 00000000\n"
                  "CS =0008 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]\n"
                  "SS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\n"
                  "DS =0000 0000000000000000 00000000 00000000\n"
                  "FS =0000 0000000000000000 00000000 00000000\n"
                  "GS =0000 ffffffff8026b940 00000000 00000000\n"
                  "LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT\n"
                  "TR =0028 ffffffff80275058 00000067 00008900 DPL=0 TSS64-avl\n"
                  "GDT=     ffffffff80275020 00000037\n"
                  "IDT=     ffffffff80293020 00000fff\n"
                  "CR0=80010035 CR2=0000000000000000 CR3=000000000026d000 CR4=003000e0\n"
                  "DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000 \n"
                  "DR6=00000000ffff0ff0 DR7=0000000000000400\n"
                  "CCS=fffffffe009d8080 CCD=000000017f89dfa0 CCO=SUBQ\n"
                  "EFER=0000000000000d01\n"
                  "FCW=037f FSW=3800 [ST=7] FTW=00 MXCSR=00001f80\n",
                  static_cast<unsigned long long>(rip), static_cast<unsigned long long>(rax),
                  static_cast<unsigned long long>(rip));
    std::string out = text;
    for (int i = 0; i < 8; i += 2) {
        std::snprintf(text, sizeof text, "FPR%d=c90fdaa22168c235 4000 FPR%d=0000000000000000 0000\n", i, i + 1);
        out += text;
    }
    for (int i = 0; i < 16; i += 2) {
        std::snprintf(text, sizeof text,
                      "XMM%02d=000000000000000a 000000000000000b XMM%02d=0000000000000000 0000000000000000\n", i,
                      i + 1);
        out += text;
    }
    return out;
}

// All states of a text that comes in pieces of `piece` bytes.
std::vector<ArchitecturalState> states(std::string_view text, std::size_t piece = 1 << 16) {
    StateLog log([&] {
        const std::string_view part = text.substr(0, piece);
        text.remove_prefix(part.size());
        return part;
    });
    std::vector<ArchitecturalState> result;
    for (ArchitecturalState state; log.next(state);) result.push_back(state);
    return result;
}

TEST(StateLog, ADumpIsAState) {
    const auto all = states(dump(0xffffffff80203099, 8));
    ASSERT_EQ(all.size(), 1u);
    const ArchitecturalState& state = all[0];
    EXPECT_EQ(state.rip, 0xffffffff80203099);
    EXPECT_EQ(state.general[0], 8u);
    EXPECT_EQ(state.general[3], 1u);  // rbx
    EXPECT_EQ(state.general[7], 0x47u);
    EXPECT_EQ(state.general[15], 0xffff888000100128);
    EXPECT_EQ(state.rflags, 6u);
    EXPECT_EQ(state.cr[4], 0x3000e0u);
    EXPECT_EQ(state.efer, 0xd01u);
    EXPECT_EQ(state.hidden_flags, 0x0080c4b0u);
    EXPECT_EQ(state.segments[ArchitecturalState::gs].base, 0xffffffff8026b940);
    EXPECT_EQ(state.segments[ArchitecturalState::tr].limit, 0x67u);
    EXPECT_EQ(state.segments[ArchitecturalState::cs].attributes, 0x00af9b00u);
    EXPECT_EQ(state.segments[ArchitecturalState::idt].limit, 0xfffu);
    EXPECT_EQ(state.xmm[14][0], 0xbu);
    EXPECT_EQ(state.xmm[14][1], 0xau);
    EXPECT_EQ(state.x87[2][1], 0x4000u);
    EXPECT_EQ(state.x87_status, 0x3800u);
    EXPECT_EQ(state.mxcsr, 0x1f80u);
}

TEST(StateLog, ItsPiecesMayBeOfAnyLength) {
    std::string text;
    for (unsigned i = 0; i < 5; ++i) text += dump(0x1000 + i, i);
    const auto whole = states(text);
    ASSERT_EQ(whole.size(), 5u);
    for (const std::size_t piece : {1, 7, 64, 1000, 4095}) {
        const auto pieces = states(text, piece);
        ASSERT_EQ(pieces.size(), 5u);
        EXPECT_EQ(std::memcmp(pieces.data(), whole.data(), 5 * sizeof whole[0]), 0);
    }
}

TEST(StateLog, WhatDidNotRunOrIsToldTwiceIsNoState) {
    const std::string stopped = "Stopped execution of TB chain before 0x7fa39009fb40 [0000000000001001] f\n";
    const auto all = states(dump(0x1000, 1) + dump(0x1001, 1) + stopped + dump(0x2000, 1) + dump(0x2000, 1) +
                            dump(0x2003, 1) + stopped);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].rip, 0x1000u);
    EXPECT_EQ(all[1].rip, 0x2000u);
}

TEST(StateLog, OtherLinesAreSkipped) {
    std::string text =
        "qemu: a message\n" + dump(0x1000, 1) + std::string(100'000, 'x') + "\n\n\0\xff=\n" + dump(0x1001, 2);
    text.insert(text.find("CCS="), "Invalid read at addr 0xFEE00000, size 4\n" + std::string(5000, '='));
    const auto all = states(text);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[1].general[0], 2u);
}

TEST(StateLog, OutsideOf64BitCodeTheRestIsAsTold) {
    ArchitecturalState told{}, other{};
    told.general[0] = 0x11, other.general[0] = 0x2200000033;
    other.general[9] = 9, other.xmm[9][1] = 99;
    StateLog::complete(told, other);
    EXPECT_EQ(told.general[0], 0x2200000011u);
    EXPECT_EQ(told.general[9], 9u);
    EXPECT_EQ(told.xmm[9][1], 99u);
    told.hidden_flags = 1u << 15;
    other.general[9] = 10;
    StateLog::complete(told, other);
    EXPECT_EQ(told.general[9], 9u);
}

TEST(StateLog, DamageIsNamedWithItsLine) {
    const std::string good = dump(0x1000, 1);
    const auto message = [](const std::string& text) -> std::string {
        try {
            states(text + dump(0x1001, 2));
        } catch (const sim::EngineError& error) {
            return error.what();
        }
        return "no error";
    };
    const auto changed = [&](const char* from, const char* to) {
        std::string text = good;
        return text.replace(text.find(from), std::strlen(from), to);
    };
    EXPECT_EQ(message(good), "no error");
    EXPECT_NE(message(changed("RIP=0000000000001000", "RIP=0000000000001008")).find("another address"),
              std::string::npos);
    EXPECT_NE(message(changed("EFER=", "EVER=")).find("no whole dump"), std::string::npos);
    EXPECT_NE(message(changed("RSI=", "RDI=")).find("twice"), std::string::npos);
    EXPECT_NE(message(changed("CR3=0", "CR3=?")).find("line 17, 'CR0=80010035"), std::string::npos);
    EXPECT_NE(message(changed("XMM00=000000000000000a 0", "XMM00=000000000000000a g")).find("half"), std::string::npos);
    EXPECT_NE(message(changed("RBX=0", "RBX=10")).find("no number"), std::string::npos);  // 17 digits
    EXPECT_NE(message("Trace 0: nothing\n").find("without an address"), std::string::npos);
}

// Damage of any kind ends in an error or in fewer states, never in a hang, a crash or more states.
TEST(StateLog, DamageAnywhereIsSurvived) {
    std::string good;
    for (unsigned i = 0; i < 3; ++i) good += dump(0x1000 + i, i);
    std::uint64_t random = 1;
    const auto below = [&](std::size_t n) {
        random = random * 6364136223846793005 + 1442695040888963407;
        return std::size_t(random >> 33) % n;
    };
    unsigned errors = 0;
    for (unsigned round = 0; round < 3000; ++round) {
        std::string text = good;
        for (std::size_t left = 1 + below(3); left; --left) {
            const std::size_t at = below(text.size());
            switch (below(4)) {
                case 0:
                    text[at] = char(below(256));
                    break;
                case 1:
                    text.erase(at, below(200));
                    break;
                case 2:
                    text.insert(at, text.substr(below(text.size()), below(100)));
                    break;
                default:
                    text.resize(at);
                    text += '\n';
            }
            if (text.empty()) break;
        }
        try {
            EXPECT_LE(states(text, 1 + below(500)).size(), 3u);
        } catch (const sim::EngineError&) {
            ++errors;
        }
    }
    EXPECT_GT(errors, 300u);
}

struct LogLeader : testing::Test {
    sim::lockstep::LeaderConfig leader(const char* plugin = EXO_LOCKSTEP_PLUGIN) {
        return {.image = EXO_KERNEL, .plugin = plugin, .command_line = "seed=0", .entry = *image->pvh_entry()};
    }
    sim::LockstepConfig config(const char* plugin) {
        sim::LockstepConfig result;
        result.image = image.get();
        result.image_path = EXO_KERNEL;
        result.plugin = plugin;
        result.command_line = "seed=0";
        result.limit = 3000;
        return result;
    }
    std::unique_ptr<sim::Image> image = sim::Image::load(EXO_KERNEL);
};

// Less what reads the clock, which is further on when a debugger has stopped the guest.
TEST_F(LogLeader, TellsWhatThePluginTells) {
    const auto guest = sim::Image::load(EXO_SEQUENCES_GUEST);
    std::set<unsigned> inputs;
    for (const auto& one : sim::lockstep::generate_sequences(*guest, 38, 3).sequences)
        if (one.kind == "inputs") inputs.insert(one.number);
    const auto generated = sim::lockstep::generate_sequences(*guest, 38, 3, inputs);
    const std::string path = testing::TempDir() + "exo-sequences-" + std::to_string(getpid()) + ".elf";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(generated.elf.data()), std::streamsize(generated.elf.size()));
    auto config = leader();
    config.image = path;
    config.entry = *guest->pvh_entry();
    const auto plugin = sim::lockstep::make_qemu_leader(config), log = sim::lockstep::make_log_leader(config);
    plugin->enter(), log->enter();
    std::filesystem::remove(path);
    ASSERT_EQ(plugin->ram().size(), log->ram().size());
    EXPECT_EQ(std::memcmp(plugin->ram().data(), log->ram().data(), log->ram().size()), 0);
    const auto canonical = [](ArchitecturalState& state) {  // less a base, which is told apart
        for (auto& segment : state.segments) segment.attributes &= 0x00ffff00;
    };
    ArchitecturalState one{}, other{}, before{};
    unsigned told = 0;
    for (; log->next(other); ++told) {
        do {
            ASSERT_TRUE(plugin->next(one));
        } while (told && std::memcmp(&one, &before, sizeof one) == 0);  // a retry, which the log drops
        before = one;
        canonical(one), canonical(other);
        const auto fields = sim::lockstep::differences(one, other);
        ASSERT_TRUE(fields.empty()) << "state " << told << " at " << std::hex << one.rip << ": " << fields[0].name
                                    << " " << fields[0].leader << " " << fields[0].follower;
    }
    EXPECT_GT(told, 5000u);
    EXPECT_FALSE(plugin->next(one));
    EXPECT_EQ(plugin->finish(false), log->finish(false));
    EXPECT_EQ(std::memcmp(plugin->ram().data(), log->ram().data(), log->ram().size()), 0);
}

TEST_F(LogLeader, SequencesAreTheSameByTheLog) {
    sim::LockstepConfig sequences;
    sequences.plugin = "/nonexistent";
    sequences.states = sim::LeaderStates::log;
    const auto result = sim::lockstep::run_sequences(sequences, EXO_SEQUENCES_GUEST, 38, 3);
    for (const auto& one : result.differences)
        ADD_FAILURE() << one.sequence.number << " (" << one.sequence.kind << "): " << one.difference.what;
    EXPECT_EQ(result.last.run.stop, sim::StopReason::power_off) << result.last.run.detail;
    EXPECT_EQ(result.last.states, "log");
    EXPECT_FALSE(result.last.not_compared.empty());
    EXPECT_GT(result.last.ram_compared, 0u);
    EXPECT_EQ(result.last.ram_differing, 0u);
}

TEST_F(LogLeader, ComesWhereThePluginCannotTell) {
    std::string notice;
    sim::LockstepConfig without = config(EXO_LOCKSTEP_PLUGIN_WITHOUT_EXPORTS);
    without.notice = [&](std::string_view text) { notice = text; };
    const sim::LockstepResult result = run_lockstep(without);
    EXPECT_FALSE(result.difference);
    EXPECT_EQ(result.run.stop, sim::StopReason::instruction_limit) << result.run.detail;
    EXPECT_EQ(result.states, "log");
    EXPECT_GE(result.compared, 3000u);
    EXPECT_NE(result.fallback.find("x86_cpu_gdb_read_register is not exported"), std::string::npos) << result.fallback;
    EXPECT_NE(notice.find("log"), std::string::npos);
    without.states = sim::LeaderStates::plugin;  // asked for: then it is an error
    EXPECT_THROW(run_lockstep(without), sim::EngineError);
}

TEST_F(LogLeader, ComesWhereThereIsNoPlugin) {
    const sim::LockstepResult result = run_lockstep(config("/nonexistent/plugin.so"));
    EXPECT_FALSE(result.difference);
    EXPECT_EQ(result.states, "log");
    EXPECT_NE(result.fallback.find("plugin"), std::string::npos) << result.fallback;
}

}  // namespace
