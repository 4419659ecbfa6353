// SPDX-License-Identifier: MIT
// Standard output, unbuffered; or a string, where a HostMachine captures it.
#pragma once
#include <string_view>

namespace hal {

void console_init();
void console_write(std::string_view text);
int console_read();

}  // namespace hal
