// SPDX-License-Identifier: MIT
// The local APIC (SDM 3A 11, APM2 16): registers by their xAPIC offsets, in either mode. x2APIC mode is used where
// CPUID has it and features= allows it, and where firmware left it on: firmware may have locked it.
#pragma once
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <hal/types.hpp>
#include <regs/pc.hpp>

namespace hal::x86 {

// One table for all CPUs; entry.S has a stub for each.
inline constexpr unsigned timer_vector = 0x40;
inline constexpr unsigned wake_vector = 0xe0;   // send_interrupt
inline constexpr unsigned flush_vector = 0xe1;  // another CPU waits: serve_requests
inline constexpr unsigned spurious_vector = 0xff;

extern constinit bool x2apic_mode;
extern std::uint64_t lapic_registers;  // virtual address of the xAPIC page

constexpr std::uint32_t x2apic_msr(std::uint32_t reg) { return regs::msr::x2apic_first + reg / 16; }

inline std::uint32_t lapic_read(std::uint32_t reg) {
    if (x2apic_mode) return std::uint32_t(rdmsr(x2apic_msr(reg)));
    return *reinterpret_cast<volatile std::uint32_t*>(lapic_registers + reg);
}
inline void lapic_write(std::uint32_t reg, std::uint32_t value) {
    if (x2apic_mode) wrmsr(x2apic_msr(reg), value);
    else *reinterpret_cast<volatile std::uint32_t*>(lapic_registers + reg) = value;
}

// This CPU's: the mode, every local interrupt masked, fixed interrupts accepted from now on. Interrupts off. The boot
// CPU's call decides the mode for all.
void lapic_init();

// Physical address of the xAPIC page.
std::uint64_t lapic_physical();

// Sends what `command` says (regs::lapic::icr_*, a vector) to one CPU. Everything stored before is visible to the one
// it reaches. Interrupts off.
void lapic_send(std::uint32_t apic_id, std::uint32_t command);

// The timer interrupted this CPU: whether its deadline has come. If not, it is armed again.
bool timer_due();

}  // namespace hal::x86
