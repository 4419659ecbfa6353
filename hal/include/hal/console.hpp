// SPDX-License-Identifier: MIT
// The console: 16550 on bare metal, standard output on the host.
//
//   void console_init()             Once, before the first write. Nothing else need work.
//   void console_write(std::string_view)   Bytes as they are, except that bare metal sends CR before LF. Spins until
//                                   the device has taken them; never blocks or allocates. Any context; the caller
//                                   serialises.
#pragma once
#include <string_view>

#include <arch/console.hpp>
