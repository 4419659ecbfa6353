// SPDX-License-Identifier: MIT
// Several CPUs: how many, starting them, asking them for something.
//
//   inline constexpr unsigned cpus_limit    CPUs that the backend can use; a machine's others stay stopped.
//   unsigned cpu_count()         CPUs to use: what the machine announces (bare metal: the ACPI MADT, found through the
//                                boot information; the host: HostConfig), at most cpus_limit and at most the command
//                                line's cpus=N. At least 1; fixed before kernel_main is called.
//   bool cpu_start(CpuIndex, TableFrames&)
//                                On the boot CPU, after mmu_init and timer_init: starts that CPU, which calls
//                                kernel_cpu_main(index) on a boot stack of its own with the kernel's tables active.
//                                True once it has arrived; false if it does not answer in time (bounded: 100 ms, or 2 s
//                                where CPUID announces a hypervisor, whose CPUs may have to wait for a real one), if
//                                there are no frames, if it was started before. Then its frames are given back, but for
//                                page tables, and it may be tried again. Interrupts on or off; no spinlock held.
//   void send_interrupt(CpuIndex, Interrupt)
//                                That CPU gets kernel_interrupt(Interrupt::wake, ...) soon; several may be merged into
//                                one. Everything written before is visible to it then. Itself is allowed. Any context,
//                                interrupts off; never waits for the other CPU.
//   void serve_requests()        Answers what other CPUs wait for with interrupts masked (flushes). relax() calls it,
//                                so that whoever spins with interrupts masked keeps nobody waiting; so does the
//                                interrupt.
//   std::string_view cpu_clock_report()
//                                One line about the time stamps of the started CPUs, as compared at their start; empty
//                                with one CPU. Lives for ever.
//
// flush() (hal/mmu.hpp) reaches every CPU that may hold the entry; it may be called with interrupts masked, since
// whoever waits serves what others want meanwhile, but with no spinlock held that another CPU takes with interrupts
// masked without relax().
#pragma once
#include <hal/mmu.hpp>
#include <hal/types.hpp>
#include <string_view>

#include <arch/smp.hpp>
