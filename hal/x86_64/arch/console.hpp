// SPDX-License-Identifier: MIT
// x86-64: the 16550 at COM1.
#pragma once
#include <string_view>

namespace hal {
void console_init();
void console_write(std::string_view);
}  // namespace hal
