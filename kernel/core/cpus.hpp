// SPDX-License-Identifier: MIT
// The CPUs that run this kernel: starting them, finding another one's per-CPU block, and choosing one for a new
// process. CPUs join once, in order of their index, and never leave.
#pragma once
#include <core/cpu.hpp>
#include <lib/result.hpp>

namespace exo {

// Makes a CPU's block known to the others; the boot CPU's first. On that CPU, when it can run threads.
void cpu_join(PerCpu&);

// The boot CPU, interrupts off, once threads can be made: starts all the others that the machine has, and returns when
// each is in its idle loop. One that does not answer, or that there is no memory for, is left out, with all after it.
void cpus_start();

unsigned cpus_running();  // at least 1; CpuIndex 0 .. cpus_running() - 1. Fixed once cpus_start() has returned
PerCpu& cpu_at(hal::CpuIndex);
// In turn, for who has no wish of its own.
hal::CpuIndex cpu_in_turn();
// Asserts that no CPU has the space's tables loaded.
void cpus_assert_left(const AddressSpace&);
// A wake interrupt for every other CPU.
void cpus_interrupt_others();

}  // namespace exo
