// SPDX-License-Identifier: GPL-2.0-or-later
// --strict: figures that rest on estimates fail the command, as `sim` and `trace retime` have it.
#pragma once
#include <sim/trace/profile.hpp>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace devenv {

// `percent` stays empty unless the option is given.
void add_strict_option(CLI::App&, std::string& percent);

// Names on stderr the marks of whose cycles more than `percent` rest on estimates; true if there are none, or if
// `percent` is empty.
bool sure_enough(const std::vector<sim::MarkSummary>&, const std::string& percent);

}  // namespace devenv
