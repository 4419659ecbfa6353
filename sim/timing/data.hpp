// SPDX-License-Identifier: GPL-2.0-or-later
// The files of sim/timing/data, built in.
#pragma once
#include <string_view>

namespace sim::timing {

std::string_view scheduling_text(std::string_view cpu);  // empty: there is none
std::string_view overlay_text(std::string_view cpu);

}  // namespace sim::timing
