// SPDX-License-Identifier: GPL-2.0-or-later
// Every way a run ends, with what its user is told. None may crash or hang the host.
#include <thread>

#include "unicorn_run.hpp"

namespace sim::test {
namespace {

struct End {
    const char* letter;
    StopReason stop;
    const char* detail;   // part of it
    const char* console;  // all of it
};

class Ends : public testing::TestWithParam<End> {};

TEST_P(Ends, AreTold) {
    CheckingSink sink;
    const Outcome run =
        run_guest("ends", {.command_line = GetParam().letter, .instruction_limit = 100'000, .events = &sink});
    EXPECT_EQ(name(run.result.stop), name(GetParam().stop)) << run.result.detail;
    EXPECT_NE(run.result.detail.find(GetParam().detail), std::string::npos) << run.result.detail;
    EXPECT_EQ(run.console, GetParam().console);
    const Outcome quiet = run_guest("ends", {.command_line = GetParam().letter, .instruction_limit = 100'000});
    EXPECT_EQ(quiet.result.instructions, run.result.instructions);
    EXPECT_EQ(quiet.result.detail, run.result.detail);
}

using enum StopReason;
INSTANTIATE_TEST_SUITE_P(
    All, Ends,
    testing::Values(
        End{"f", guest_failed, "reports failure (code 0x11)", ""},
        End{"s", instruction_limit, "the limit was reached", ""}, End{"u", instruction_limit, "user_loop", ""},
        End{"h", halted_for_ever, "interrupts off", ""}, End{"n", halted_for_ever, "no interrupt to come", ""},
        End{"j", outside_ram, "instruction fetch at physical address 0x20000000", ""},
        End{"r", outside_ram, "read at physical address 0x20000000", ""},
        End{"w", outside_ram, "write at physical address 0x20000008", ""},
        End{"a", outside_ram,
            "instruction fetch from the local APIC at physical address 0xfee00000, which is not executable", ""},
        End{"S", outside_ram, "delivery of an exception at physical address 0x20000fd8", ""},
        End{"t", triple_fault, "beyond the IDT's limit", ""}, End{"D", triple_fault, "stack cannot be written", ""},
        End{"T", triple_fault, "the IDT is not mapped", ""}, End{"d", power_off, "", " 8:0\n"},
        End{"p", power_off, "", " b:33\n"}, End{"g", power_off, "", " d:33\n"}, End{"c", power_off, "", " d:1\n"},
        End{"v", unsupported, "vaddps ymm2, ymm1, ymm0", ""}, End{"z", guest_failed, "", " 6:0"},
        End{"b", power_off, "", ""}, End{"m", instruction_limit, "", ""},
        End{"e", outside_ram, "write at physical address 0x1000000,", ""},
        End{"l", outside_ram, "instruction fetch at physical address 0x1000000,", ""},
        End{"L", outside_ram, "instruction fetch at physical address 0x1000000,", ""},
        End{"x", unsupported, "xbegin ", ""}, End{"P", power_off, "", "44332211 e:10@601000/601000\n"},
        End{"i", power_off, "", " 0:0\n"}, End{"I", power_off, "", " 0:0\n"}),
    [](const auto& it) { return std::string(1, it.param.letter[0]) + (it.param.letter[0] < 'a' ? "_upper" : ""); });

TEST(UnicornEnds, TheLastInstructionOfRamExecutes) {
    EXPECT_EQ(run_guest("ends", {.command_line = "l"}).result.registers.general[0], 0x44332211u);
}

TEST(UnicornEnds, WithoutPagingNoAddressBeyondThePhysicalOnesIsRam) {
    EXPECT_EQ(run_guest("flat").result.stop, StopReason::power_off);
    for (const auto& [letter, detail] : {std::pair{"r", "read at physical address 0x10000000100300,"},
                                         std::pair{"w", "write at physical address 0x8000000000100308,"},
                                         std::pair{"j", "instruction fetch at physical address 0x8000000000100300,"},
                                         std::pair{"c", "write at physical address 0x8000000000100300,"}}) {
        CheckingSink sink;
        for (EventSink* events : {static_cast<EventSink*>(&sink), static_cast<EventSink*>(nullptr)}) {
            const Outcome run = run_guest("flat", {.command_line = letter, .events = events});
            EXPECT_EQ(run.result.stop, StopReason::outside_ram) << letter;
            EXPECT_NE(run.result.detail.find(detail), std::string::npos) << run.result.detail;
        }
    }
}

TEST(UnicornEnds, ATripleFaultHasItsWholeChain) {
    const Outcome run = run_guest("ends", {.command_line = "D"});
    const auto& faults = run.result.faults;
    ASSERT_EQ(faults.size(), 3u);
    EXPECT_EQ(faults[0].vector, 14);
    EXPECT_EQ(faults[0].cr2, 0x700000u);
    EXPECT_EQ(faults[0].registers.general[4], 0x601000u);
    EXPECT_EQ(faults[1].vector, 8);
    EXPECT_EQ(faults[2].vector, 14);
    EXPECT_EQ(faults[2].error_code, 2u);
    for (const FaultStep& fault : faults) EXPECT_FALSE(fault.why_not_delivered.empty());
}

TEST(UnicornEnds, TheStopFlagEndsASpinningGuest) {
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> progress = 0;
    std::thread other([&] {
        while (progress < 10'000) std::this_thread::yield();
        stop = true;
    });
    const Outcome run =
        run_guest("ends", {.command_line = "s", .instruction_limit = ~0ull, .stop = &stop, .progress = &progress});
    other.join();
    EXPECT_EQ(run.result.stop, StopReason::interrupted);
    EXPECT_GE(run.result.instructions, 10'000u);
}

TEST(UnicornEnds, TheLimitIsExact) {
    for (const std::uint64_t limit : {0, 1, 2, 1000, 1024, 5001}) {
        const Outcome run = run_guest("ends", {.command_line = "s", .instruction_limit = limit});
        EXPECT_EQ(run.result.stop, StopReason::instruction_limit);
        EXPECT_EQ(run.result.instructions, limit);
    }
}

TEST(UnicornEnds, WhatASinkThrowsEndsTheRunAndReachesTheCaller) {
    struct Full : CheckingSink {
        void on_block(const Block& block) override {
            if (block.first_index > 1000) throw std::runtime_error("disk full");
            CheckingSink::on_block(block);
        }
    } sink;
    EXPECT_THROW(run_guest("paging", {.events = &sink}), std::runtime_error);
}

TEST(UnicornEnds, WhatCannotStartSaysWhy) {
    const auto error_of = [](RunConfig config) -> std::string {
        try {
            run_guest("paging", config);
        } catch (const EngineError& error) {
            return error.what();
        }
        return "";
    };
    EXPECT_NE(error_of({.ram_bytes = 1 << 20}).find("16 to 3072 MiB"), std::string::npos);
    EXPECT_NE(error_of({.ram_bytes = 4ull << 30}).find("16 to 3072 MiB"), std::string::npos);
    EXPECT_NE(error_of({.command_line = std::string(100'000, 'x')}).find("command line"), std::string::npos);
    EXPECT_NE(error_of({.clock = Clock::cycles}).find("timing model"), std::string::npos);
}

}  // namespace
}  // namespace sim::test
