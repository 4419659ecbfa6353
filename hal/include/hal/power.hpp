// SPDX-License-Identifier: MIT
// The end of a run.
//
//   [[noreturn]] void power_off(PowerOff)   Waits until the console is drained, then ends the machine; tells an
//                                   emulator whether the guest succeeded. Any context, interrupts off.
//   [[noreturn]] void reboot()      The same, but the machine starts again (ACPI reset register, keyboard controller,
//                                   triple fault). The host ends the process as power_off(success) does.
#pragma once
#include <cstdint>

namespace hal {
enum class PowerOff : std::uint8_t { success, failure };
}
#include <arch/power.hpp>
