// SPDX-License-Identifier: MIT
// Who runs next on this CPU. Kernel code is never preempted except at preempt_point(); ring 3 is preempted on the way
// out of an interrupt when its slice is over or somebody more urgent woke.
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
void make_runnable(Thread&);      // a blocked thread that was taken off its queues
void yield();                     // lets others of at least the caller's priority run first
void reschedule();                // the caller is blocked, dead or has been put back in the queue
void run_directly(Thread& next);  // the same, to a given thread that is in no queue
void preempt_if_needed();         // on the way to ring 3, and at preempt_point
void timer_expired();             // from the timer interrupt: wakes who is due, ends slices
void leave_space(AddressSpace&);  // this CPU loads the kernel's own tables if that space's are loaded
void deadline_add(Thread&);
void deadline_remove(Thread&);  // nothing if it has none

// In long kernel work, interrupts on: the only place where a kernel thread is preempted.
inline void preempt_point() {
    if (this_cpu().header.work_pending == 0) return;
    hal::IrqGuard masked;
    preempt_if_needed();
}

}  // namespace exo
