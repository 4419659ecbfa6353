// SPDX-License-Identifier: MIT
// What firmware tells about the machine, read once and kept: the tables themselves may lie in memory that the final
// direct map leaves out.
#pragma once
#include <hal/smp.hpp>
#include <hal/types.hpp>
#include <regs/acpi.hpp>

namespace hal::x86 {

// regs::acpi::PhysicalMemory over the early direct map: until mmu_init, and when the machine ends (power.cpp).
struct EarlyMemory {
    bool reaches(std::uint64_t physical, std::size_t bytes) const;  // false for no bytes
    bool read(std::uint64_t physical, void* to, std::size_t bytes) const;
};

struct Machine {
    unsigned cpus = 1;                     // at least the one we run on
    std::uint32_t apic_ids[cpus_limit]{};  // by CpuIndex
    std::uint16_t pm_timer_port = 0;       // of the ACPI power-management timer, 24 bits at least; 0: none
    char firmware_maker[6]{};              // of the RSDP; zeros: none
};
extern constinit Machine machine;

// Once, before mmu_init: fills `machine` from the MADT and the FADT, with at most `cpus_wanted` CPUs. Without tables
// there is one.
void machine_init(PhysAddr acpi_root, unsigned cpus_wanted);

// This CPU's local APIC id by CPUID: whatever mode the APIC is in.
std::uint32_t initial_apic_id();

}  // namespace hal::x86
