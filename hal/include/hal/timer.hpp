// SPDX-License-Identifier: MIT
// One one-shot timer a CPU, and the clock it counts by.
//
//   void timer_init()               Once a CPU, interrupts off: finds the frequencies, routes the timer to
//                                   kernel_interrupt(Interrupt::timer).
//   uint64_t now_ns()               Nanoseconds since boot, monotonic on each CPU, from its time-stamp counter. Any
//                                   context. Times of two CPUs may be compared as far as their counters agree:
//                                   cpu_clock_report() (hal/smp.hpp) says how far. Nothing is corrected.
//   void timer_arm(uint64_t deadline_ns)   Interrupts once at or after that time, soon if it has passed. Replaces the
//                                   earlier deadline. Interrupts off.
//   void timer_disarm()             Interrupts off. One that is already pending may still arrive.
#pragma once
#include <cstdint>

#include <arch/timer.hpp>
