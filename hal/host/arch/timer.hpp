// SPDX-License-Identifier: MIT
// The clock is the time-stamp counter, calibrated once a process against CLOCK_MONOTONIC. The timer is a deadline that
// irq.hpp's points compare with it, and that halt_until_interrupt sleeps to.
#pragma once
#include <cstdint>

namespace hal {

void timer_init();
std::uint64_t now_ns();
void timer_arm(std::uint64_t deadline_ns);
void timer_disarm();

}  // namespace hal
