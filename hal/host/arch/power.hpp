// SPDX-License-Identifier: MIT
// Power-off returns control to whoever started the machine (host_main, HostMachine::run); without one, or from inside a
// trap, the process ends with 0 (success) or 3 (failure).
#pragma once
#include <hal/power.hpp>

namespace hal {

[[noreturn]] void power_off(PowerOff);
[[noreturn]] void reboot();  // nothing starts again: power_off(success)

}  // namespace hal
