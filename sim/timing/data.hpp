// SPDX-License-Identifier: GPL-2.0-or-later
// The files of sim/timing/cpus and sim/timing/data, built in.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace sim::timing {

// "znver4.json", "znver4.sched", "znver4.overlay.json"; empty: there is none of that name.
std::string_view built_in(std::string_view file);
// Those that end so.
std::vector<std::string> built_in_names(std::string_view end);

}  // namespace sim::timing
