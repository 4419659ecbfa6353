// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <devenv/commands/strict.hpp>
#include <devenv/numbers.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/spending_report.hpp>

namespace devenv {

void add_strict_option(CLI::App& app, std::string& percent) {
    app.add_flag("--strict{5}", percent,
                 "[=PERCENT]: exit 1 if more than so much of a mark's cycles rests on estimates (default 5)")
        ->check(decimal_number(0, 100));
}

bool sure_enough(const std::vector<sim::MarkSummary>& marks, const std::string& percent) {
    if (percent.empty()) return true;
    const auto guessed = guessed_marks(marks, std::stod(percent));
    for (const sim::MarkSummary* mark : guessed) {
        spdlog::error("{}: {} % of its cycles rest on estimates, more than {} %: {} cycles in all", mark->name,
                      decimal(100 * mark->all.guessed_share(), 1), percent,
                      ranged(mark->all.cycles, mark->all.less, mark->all.more));
    }
    return guessed.empty();
}

}  // namespace devenv
