// SPDX-License-Identifier: GPL-2.0-or-later
// printf into a std::string: the compiler of Debian 12 has no <format>.
#pragma once
#include <string>

namespace sim {

[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);

}  // namespace sim
