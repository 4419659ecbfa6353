// SPDX-License-Identifier: MIT
// x86-64: the 16550 at COM1, the screen that the loader left, the PS/2 keyboard.
#pragma once
#include <string_view>

namespace hal {
void console_init();
void console_write(std::string_view);
int console_read();
}  // namespace hal
