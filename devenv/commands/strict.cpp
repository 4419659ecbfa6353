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

namespace {

std::vector<sim::MarkSummary> too_unsure(const Simulated& run, const std::string& percent) {
    std::vector<sim::MarkSummary> marks = run.marks;
    if (marks.empty()) {
        marks.emplace_back().name = "the whole run";
        marks.back().all = run.spent;
    }
    std::vector<sim::MarkSummary> over;
    for (const sim::MarkSummary* mark : guessed_marks(marks, std::stod(percent))) over.push_back(*mark);
    return over;
}

}  // namespace

bool sure_enough(const Simulated& run, const std::string& percent) {
    if (percent.empty()) return true;
    const auto over = too_unsure(run, percent);
    for (const sim::MarkSummary& mark : over) {
        spdlog::error("{}: {} % of its cycles rest on estimates, more than {} %: {} cycles in all", mark.name,
                      decimal(100 * mark.all.guessed_share(), 1), percent,
                      ranged(mark.all.cycles, mark.all.less, mark.all.more));
    }
    return over.empty();
}

Json strict_json(const Simulated& run, const std::string& percent) {
    if (percent.empty()) return nullptr;
    Json over = Json::array();
    for (const sim::MarkSummary& mark : too_unsure(run, percent)) over.push_back(mark.name);
    return {{"percent", std::stod(percent)}, {"over", over}};
}

}  // namespace devenv
