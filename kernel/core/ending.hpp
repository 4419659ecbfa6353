// SPDX-License-Identifier: MIT
// What follows when there is nothing more to do, or a panic: "end=WHAT" on the command line.
//   power-off  (default) at once
//   reboot     the machine starts again
//   halt       nothing: what is on the screen stays there
//   key        waits for a key, on the serial line or the keyboard: p power off, r reboot
#pragma once
#include <hal/power.hpp>
#include <string_view>

namespace exo {

void ending_init(std::string_view command_line);  // which lives for ever; before it, and for unknown words: power-off

// Interrupts on, in a thread: it sleeps while it waits.
[[noreturn]] void end_run(hal::PowerOff outcome);
// Interrupts off, anywhere: it spins.
[[noreturn]] void end_in_panic();

}  // namespace exo
