// SPDX-License-Identifier: MIT
// What probe.cpp prepares and probe_cases.cpp times.
#pragma once
#include <arch/layout.h>
#include <arch/asm.hpp>
#include <cstdint>
#include <hal/probe.hpp>
#include <regs/descriptors.hpp>

namespace hal {

// Each takes the number of turns and answers with ticks; a turn executes probe_repeats of what is timed.
struct ProbeCase {
    std::string_view name;
    bool (*present)();
    std::uint64_t (*timed)(unsigned turns);
    std::uint64_t (*empty)(unsigned turns);
    unsigned turns;
};

namespace x86 {

inline constexpr unsigned probe_repeats = 16, probe_user_traps = 64;

// Values as they were, which the timed instructions write again, and places to write to.
struct ProbeSession {
    std::uint64_t cr0, cr3, cr4, xcr0, dr7;
    std::uint64_t timed_cr0, timed_cr3, timed_cr4;  // while measuring
    std::uint64_t fs_base, star, lstar, efer, rsp0;
    std::uint64_t xsave_mask;  // 0: no XSAVE
    regs::TableRegister gdt, idt, timed_idt;
    PageTable table;
    PhysAddr code;
    std::uint8_t port_value;
    alignas(64) std::byte area[1024];  // FXSAVE, XSAVE, CLFLUSH, INVLPG
};
extern constinit ProbeSession probe_session;

inline constexpr std::uint64_t probe_user_code = 0x40'0000;                  // SYSCALL
inline constexpr std::uint64_t probe_user_trap_code = probe_user_code + 64;  // INT3s, then SYSCALL
inline constexpr std::uint8_t probe_iret_vector = 0xf0, probe_drop_vector = 0xf1;

std::span<const Probe> probe_cases();
std::uint64_t probe_chain(unsigned turns);  // 16 dependent additions each

// A time stamp that nothing before or after it overlaps with.
inline std::uint64_t fenced_ticks() {
    std::uint32_t low, high;
    asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
    return std::uint64_t(high) << 32 | low;
}

extern "C" {
extern std::byte probe_iret[], probe_drop[], probe_drop_ud2[], probe_syscall[], probe_back_from_sysret[],
    probe_back_from_iret[];
void probe_visit_by_sysret(std::uint64_t entry, std::uint64_t times);
void probe_visit_by_iret(std::uint64_t entry, std::uint64_t times);
}

}  // namespace x86
}  // namespace hal
