// SPDX-License-Identifier: MIT
// A simulated CPU is a Linux thread whose GS base points to its HostCpu, so that "this CPU" is one instruction that no
// compiler may carry across a switch (thread-local storage would be: a context may go on in another Linux thread).
#pragma once
#include <atomic>
#include <hal/types.hpp>
#include <string_view>

namespace hal {
namespace host {

inline constexpr std::uint64_t timer_off = ~std::uint64_t{0};

struct alignas(64) HostCpu {
    HostCpu* self = nullptr;                      // %gs:0
    void* per_cpu = nullptr;                      // %gs:8, the kernel's
    std::uint32_t interrupts_on = 0;              // %gs:16, the simulated interrupt flag
    std::atomic<std::uint32_t> pending = 0;       // %gs:20, bit per kind of interrupt that waits; any CPU sets bits
    CpuIndex index = CpuIndex::boot;              // %gs:24
    std::uint32_t in_user = 0;                    // a linked user program runs, not the kernel
    std::uint64_t timer_deadline_ns = timer_off;  // timer_off: disarmed
    std::uint64_t active_table = 0;               // physical address of the root table
    unsigned vector = 0;                          // of the pending interrupt that is not the timer's
    bool in_trap = false;                         // the signal handler is at work: no switching away
};

// The bit of `pending` that no kernel sees: the machine ends, and this CPU leaves it where it next looks.
inline constexpr std::uint32_t pending_end = 1u << 31;

inline HostCpu& this_cpu() {
    HostCpu* cpu;
    asm volatile("movq %%gs:0, %0" : "=r"(cpu));
    return *cpu;
}

void deliver_interrupts();  // upcalls for what is pending; the flag is on
void poll_timer();          // marks the timer pending if its time has come
void poll_interrupts();     // both, if interrupts are on; leaves the machine if it ends

}  // namespace host

// Begins the block that per_cpu_set is given. The host has no entry code that would need more.
struct PerCpuHeader {
    std::uint8_t work_pending = 0;  // the kernel's: it wants to be asked before the CPU goes on in ring 3
};

inline CpuIndex cpu_index() { return host::this_cpu().index; }

inline void* per_cpu() {
    void* block;
    asm volatile("movq %%gs:8, %0" : "=r"(block));
    return block;
}

inline void per_cpu_set(void* block) { asm volatile("movq %0, %%gs:8" ::"r"(block) : "memory"); }

inline void relax() {
    __builtin_ia32_pause();
    host::poll_interrupts();
}

// With every CPU asleep, nothing pending and no timer armed, that would be for ever: ends the run with a message
// instead.
void halt_until_interrupt();

inline std::uint64_t cycles() { return __builtin_ia32_rdtsc(); }
std::uint64_t cycles_per_second();

// From the kernel of the host, or from the seed of the HostMachine if it was given one.
std::uint64_t entropy();

void cpu_init(CpuIndex);
std::string_view cpu_features();

}  // namespace hal
