// SPDX-License-Identifier: MIT
// x86-64: the debug-exit port of emulators, else a halt.
#pragma once
namespace hal {
[[noreturn]] void power_off(PowerOff);
}
