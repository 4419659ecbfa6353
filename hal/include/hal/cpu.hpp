// SPDX-License-Identifier: MIT
// This CPU: identity, per-CPU pointer, waiting, time stamp, entropy.
//
//   CpuIndex cpu_index()            Index of the calling CPU, 0 = boot CPU. Any context; a few cycles.
//   void* per_cpu()                 The pointer given to per_cpu_set on this CPU (through GS). Any context. Never keep
//   void per_cpu_set(void*)         it across a switch: the thread may go on elsewhere. Set once a CPU, interrupts off.
//   struct PerCpuHeader             What the block given to per_cpu_set begins with: the entry code finds its fields at
//       uint8_t work_pending        fixed offsets. The kernel sets work_pending on its own CPU when a thread switch or
//                                   an end is due before ring 3 goes on: a system call then returns through
//                                   kernel_return_to_user, which clears it. Every other field is the backend's.
//   void relax()                    One turn of a spin: PAUSE; on the host also the point where simulated interrupts
//                                   are taken. Every spin in the kernel calls it. Interrupts on or off.
//   void halt_until_interrupt()     Interrupts off on entry; enables them and sleeps in one indivisible step, returns
//                                   after at least one interrupt was handled, with interrupts off again.
//   uint64_t cycles()               Time-stamp counter. Not serialising. Any context.
//   uint64_t cycles_per_second()    Its frequency, fixed by timer_init.
//   uint64_t entropy()              64 unpredictable bits where the CPU has a source (RDRAND announced by CPUID), else
//                                   mixed from the boot seed and the time stamp: reproducible on purpose on the board.
//   void cpu_init(CpuIndex)         Descriptor tables, IST stacks, protections (SMEP, SMAP, UMIP where present),
//                                   system-call entry. Once a CPU, interrupts off, before anything can trap usefully.
//   std::string_view cpu_features() Names of the optional features in use, for the boot banner; lives for ever.
#pragma once
#include <hal/types.hpp>
#include <string_view>

#include <arch/cpu.hpp>
