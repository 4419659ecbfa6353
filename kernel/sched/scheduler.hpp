// SPDX-License-Identifier: MIT
// Who runs next on this CPU. Kernel code is never preempted except at preempt_point(); ring 3 is preempted on the way
// out of an interrupt when its slice is over or somebody more urgent woke.
//
// Run queue, deadlines and work_pending of a CPU are touched by that CPU alone. A thread that is woken from elsewhere
// goes into its home's mailbox; the first letter comes with a wake interrupt. The home empties its box in that
// interrupt, when it reschedules and before it sleeps, always with interrupts masked and never within a switch: a
// thread that was claimed on its way into its wait becomes runnable only after its registers are parked, or is the one
// that goes on.
#pragma once
#include <core/cpu.hpp>

namespace exo {

// A thread that computes without a break for a whole slice while another of its priority is runnable gives way.
inline constexpr std::uint64_t slice_ns = 100'000;

// Makes the calling context, on the boot stack, this CPU's idle thread. Once, interrupts off.
void scheduler_init();
// Runs threads for ever; sleeps when there are none. The idle thread's body.
[[noreturn]] void idle_loop();

// All with interrupts masked.
void make_runnable(Thread&);                // a thread whose wait the caller has claimed, off its queues; no lock held
unsigned make_all_runnable(Thread* chain);  // from take_all_locked; how many there were
void take_mail();                           // the woken that other CPUs posted join the run queue
void yield();                               // lets others of at least the caller's priority run first
void reschedule();                          // the caller is blocked, dead or has been put back in the queue
void run_directly(Thread& next);            // the same, to a given thread that is in no queue
void preempt_if_needed();                   // on the way to ring 3, and at preempt_point
void timer_expired();                       // from the timer interrupt: wakes who is due, ends slices
void borrow_space(AddressSpace&);  // a kernel thread reaches that space, until leave_space or a switch to a process
void leave_space(AddressSpace&);   // this CPU loads the kernel's own tables if that space's are loaded
void deadline_add(Thread&);        // of a thread whose home this is
void deadline_remove(Thread&);     // nothing if it has none

// In long kernel work, interrupts on: the only place where a kernel thread is preempted.
inline void preempt_point() {
    if (this_cpu().header.work_pending == 0) return;
    hal::IrqGuard masked;
    preempt_if_needed();
}

}  // namespace exo
