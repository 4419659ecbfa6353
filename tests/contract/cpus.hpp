// SPDX-License-Identifier: MIT
// Other CPUs for the cases: started once, idle in between, each runs what a case gives it. The kernel, where there is
// one, believes in one CPU.
#pragma once
#include <hal/cpu.hpp>
#include <hal/smp.hpp>
#include <hal/timer.hpp>
#include <hal/upcalls.hpp>

#include "check.hpp"

namespace contract {

unsigned machine_cpus();  // implemented by each face: what the machine has, whatever the kernel is told

// On every CPU but the boot CPU, from kernel_cpu_main: sleeps, and runs what give() brings. Never returns.
[[noreturn]] void cpu_main(hal::CpuIndex);

// Every interrupt of a CPU that is not the boot CPU, and the boot CPU's Interrupt::wake.
void count_interrupt(hal::Interrupt);
std::uint64_t interrupts(hal::CpuIndex, hal::Interrupt);  // so far

// Starts the CPU if it sleeps still. False if the machine cannot.
bool have_cpu(hal::CpuIndex);

// False if it takes for ever, even for an emulator on a busy machine.
template <typename Condition>
bool wait_for(Condition condition) {
    constexpr std::uint64_t patience_ns = 20'000'000'000;
    const std::uint64_t limit_ns = hal::now_ns() + patience_ns;
    while (!condition()) {
        if (hal::now_ns() > limit_ns) return false;
        hal::relax();
    }
    return true;
}

// Gives it something to do, and waits until it is done. Interrupts are off in the job. False: not in time.
using Job = void (*)(void* argument);
void give(hal::CpuIndex, Job, void* argument);
bool finished(hal::CpuIndex);

}  // namespace contract
