// SPDX-License-Identifier: GPL-2.0-or-later
// Which tables of a run's cycles are wanted, as `sim` and `trace retime` have it.
#pragma once
#include <devenv/view/run_report.hpp>

namespace CLI {
class App;
}

namespace devenv {

void add_figures_options(CLI::App&, FiguresOptions&);

}  // namespace devenv
