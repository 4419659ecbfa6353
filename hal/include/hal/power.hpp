// SPDX-License-Identifier: MIT
// The end of a run.
//
//   [[noreturn]] void power_off(PowerOff)   Waits until the console is drained, then ends the machine; tells an
//                                   emulator whether the guest succeeded. Any context, interrupts off.
#pragma once
#include <cstdint>

namespace hal {
enum class PowerOff : std::uint8_t { success, failure };
}
#include <arch/power.hpp>
