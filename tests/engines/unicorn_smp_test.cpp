// SPDX-License-Identifier: GPL-2.0-or-later
// Several CPUs on the board: start, interrupts between them, locks, changing code and mappings, time, order.
#include <cstring>
#include <regs/acpi.hpp>
#include <sim/board/acpi.hpp>
#include <sim/board/memory.hpp>

#include "unicorn_run.hpp"

namespace sim::test {
namespace {

struct Case {
    const char* what;
    const char* command_line;
    const char* console;
};

class SeveralCpus : public testing::TestWithParam<Case> {};

// With events and without, the same; and right whatever the quantum and the seed.
TEST_P(SeveralCpus, WorkTogether) {
    const Case& it = GetParam();
    CheckingSink sink, again;
    const Outcome with = run_guest("smp", {.cpus = 4, .command_line = it.command_line, .events = &sink});
    EXPECT_EQ(with.result.stop, StopReason::power_off) << with.result.detail;
    EXPECT_EQ(with.console, it.console);
    const Outcome without = run_guest("smp", {.cpus = 4, .command_line = it.command_line});
    EXPECT_EQ(without.console, it.console);
    EXPECT_EQ(without.result.cpu_instructions, with.result.cpu_instructions);
    EXPECT_EQ(without.result.guest_ticks, with.result.guest_ticks);
    run_guest("smp", {.cpus = 4, .command_line = it.command_line, .events = &again});
    EXPECT_EQ(again.hash, sink.hash) << "two runs differ";
    for (const std::uint64_t quantum : {1, 20, 5000}) {
        const Outcome other =
            run_guest("smp", {.cpus = 4, .quantum = quantum, .command_line = it.command_line, .seed = quantum});
        EXPECT_EQ(other.result.stop, StopReason::power_off) << other.result.detail;
        EXPECT_EQ(other.console, it.console) << "with quantum " << quantum;
    }
}

INSTANTIATE_TEST_SUITE_P(All, SeveralCpus,
                         testing::Values(Case{"Starts", "s", "3ea\n"}, Case{"Interrupts", "p", "64\n"},
                                         Case{"Locks", "l", "7d0 7d0 7d0 7d0 7d0\n"}, Case{"Code", "c", "0\n"},
                                         Case{"Mappings", "t", "0\n"}, Case{"TimeStamps", "q", "0\n"}),
                         [](const auto& it) { return std::string(it.param.what); });

TEST(SeveralCpusOrder, FollowsFromTheSeed) {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        const Outcome first = run_guest("smp", {.cpus = 4, .command_line = "o", .seed = seed});
        const Outcome second = run_guest("smp", {.cpus = 4, .command_line = "o", .seed = seed});
        EXPECT_EQ(first.console, second.console);
        EXPECT_EQ(first.result.cpu_instructions, second.result.cpu_instructions);
        seen.insert(first.console);
    }
    EXPECT_GE(seen.size(), 4u);
}

TEST(SeveralCpusEnds, AllHaltedNamesEach) {
    const Outcome run = run_guest("smp", {.cpus = 4, .command_line = "h"});
    EXPECT_EQ(run.result.stop, StopReason::halted_for_ever);
    for (const char* part :
         {"CPU 0: HLT with interrupts off", "CPU 1: HLT with no interrupt to come", "CPU 2", "CPU 3"})
        EXPECT_NE(run.result.detail.find(part), std::string::npos) << run.result.detail;
}

TEST(SeveralCpusEnds, InitOfTheBootCpuIsAReset) {
    const Outcome run = run_guest("smp", {.cpus = 2, .command_line = "b"});
    EXPECT_EQ(run.result.stop, StopReason::reset) << run.result.detail;
}

TEST(SeveralCpusEnds, TheLimitIsOfAllTogether) {
    const Outcome run = run_guest("smp", {.cpus = 4, .command_line = "l", .instruction_limit = 20'000});
    EXPECT_EQ(run.result.stop, StopReason::instruction_limit);
    EXPECT_EQ(run.result.instructions, 20'000u);
    std::uint64_t sum = 0;
    for (const std::uint64_t each : run.result.cpu_instructions) sum += each;
    EXPECT_EQ(sum, 20'000u);
    EXPECT_EQ(run.result.cpu_instructions.size(), 4u);
}

TEST(SeveralCpusRefused, OutOfRangeAndWithTheCycleClock) {
    EXPECT_THROW(run_guest("smp", {.cpus = 0}), EngineError);
    EXPECT_THROW(run_guest("smp", {.cpus = cpus_most + 1}), EngineError);
    EXPECT_THROW(run_guest("smp", {.cpus = 2, .clock = Clock::cycles, .modelled_cycles = [] { return Cycle{0}; }}),
                 EngineError);
}

struct PhysicalMemory {
    Memory& memory;
    bool read(std::uint64_t physical, void* to, std::size_t bytes) {
        if (!memory.contains(physical, bytes)) return false;
        std::memcpy(to, memory.data() + physical, bytes);
        return true;
    }
};

TEST(AcpiTables, ListTheCpusAsAKernelReadsThem) {
    for (const unsigned cpus : {1u, 4u, cpus_most}) {
        Memory memory(16 << 20);
        PhysicalMemory physical{memory};
        const auto madt = regs::acpi::find_table(physical, write_acpi_tables(memory, cpus), "APIC");
        ASSERT_TRUE(madt);
        std::vector<std::uint32_t> ids;
        const auto read = regs::acpi::read_madt(physical, *madt, [&](const regs::acpi::LocalApic& apic) {
            EXPECT_TRUE(apic.enabled);
            ids.push_back(apic.apic_id);
        });
        ASSERT_TRUE(read);
        EXPECT_EQ(read->local_apic_physical, 0xfee0'0000u);
        ASSERT_EQ(ids.size(), cpus);
        for (unsigned i = 0; i < cpus; ++i) EXPECT_EQ(ids[i], i);
    }
}

}  // namespace
}  // namespace sim::test
