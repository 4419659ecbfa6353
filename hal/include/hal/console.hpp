// SPDX-License-Identifier: MIT
// The console: on bare metal the 16550 and the screen, each where there is one; on the host standard output.
//
//   void console_init()             Once, before the first write. Nothing else need work.
//   void console_write(std::string_view)   Bytes as they are, except that bare metal sends CR before LF. Spins until
//                                   the device has taken them; never blocks or allocates. Any context; the caller
//                                   serialises.
//   int console_read()              A character that was typed (serial line or keyboard; '\n' for enter), or -1 if
//                                   there is none. The host reads standard input, a HostMachine that captures the
//                                   console nothing. Never waits; the first call may set a keyboard up (milliseconds).
//                                   Any context, interrupts off. No interrupt announces one: who waits for one polls.
#pragma once
#include <string_view>

#include <arch/console.hpp>
