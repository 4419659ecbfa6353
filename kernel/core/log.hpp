// SPDX-License-Identifier: MIT
// Text on the console, one call at a time.
#pragma once
#include <lib/text.hpp>

namespace exo {

void console_text(std::string_view);  // as it is, under the console lock; never blocks or allocates
bool console_busy();                  // somebody is writing just now
TextSink console_sink();              // without the lock: for panics

// log("{} frames\n", n): one call's text stays together.
template <typename... Args>
void log(CheckedFormat<std::type_identity_t<Args>...> format, const Args&... args) {
    TextBuffer<512> line;
    line.format(format, args...);
    console_text(line.view());
}

}  // namespace exo
