// SPDX-License-Identifier: GPL-2.0-or-later
// --strict: figures that rest on estimates fail the command, as `sim` and `trace retime` have it.
#pragma once
#include <devenv/view/run_report.hpp>
#include <string>

namespace CLI {
class App;
}

namespace devenv {

// `percent` stays empty unless the option is given.
void add_strict_option(CLI::App&, std::string& percent);

// Names on stderr the marks of whose cycles more than `percent` rest on estimates; of a run without marks the run
// itself is judged. True if there are none, or if `percent` is empty.
bool sure_enough(const Simulated&, const std::string& percent);
// {"percent": 5, "over": ["tour.faults"]}; null if `percent` is empty.
Json strict_json(const Simulated&, const std::string& percent);

}  // namespace devenv
