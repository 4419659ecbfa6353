// SPDX-License-Identifier: MIT
// x86-64: the doors of emulators, ACPI, and for a reset the chipset and the keyboard controller. A machine that does
// not switch off halts.
#pragma once
namespace hal {
[[noreturn]] void power_off(PowerOff);
[[noreturn]] void reboot();
}  // namespace hal
