// SPDX-License-Identifier: MIT
// x86-64: the local APIC's timer, the time-stamp counter as clock.
#pragma once
#include <cstdint>

namespace hal {
void timer_init();
std::uint64_t now_ns();
void timer_arm(std::uint64_t deadline_ns);
void timer_disarm();
}  // namespace hal
