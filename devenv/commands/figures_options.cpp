// SPDX-License-Identifier: GPL-2.0-or-later
#include <CLI/CLI.hpp>
#include <devenv/commands/figures_options.hpp>
#include <devenv/numbers.hpp>

namespace devenv {

void add_figures_options(CLI::App& app, FiguresOptions& figures) {
    app.add_option("--top", figures.top, "Functions in the tables (default 12)")->transform(whole_number());
    app.add_flag("--stack", figures.stack, "Also what the cycles were spent on, in percent, as a table");
    app.add_flag("--misses", figures.misses,
                 "Also misses of caches, translations and branch predictors, of 1,000 instructions, as a table");
    app.add_flag("--sources", figures.sources,
                 "Also what the cycles rest on: measured, published, LLVM's or estimated numbers, as a table");
}

}  // namespace devenv
