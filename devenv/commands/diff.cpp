// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev diff: what a change of the kernel costs. Both kernels run the same scenario in the same simulator, so the
// difference is theirs alone, free of the noise of timing.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/comparison.hpp>
#include <devenv/environment.hpp>
#include <devenv/kernel_builds.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/comparison_report.hpp>
#include <devenv/view/failure_report.hpp>
#include <memory>

namespace devenv {

namespace {

struct DiffOptions {
    std::string before, after;
    Scenario scenario;
    std::optional<double> threshold_percent;
    std::size_t top = 15;
    bool json = false;
};

constexpr const char* examples =
    "  exo-dev diff HEAD                    what the changes in the working tree cost\n"
    "  exo-dev diff HEAD~1 HEAD             what the last commit cost\n"
    "  exo-dev diff main --threshold 2      exit 1 if a mark got slower by more than 2 %\n"
    "  exo-dev diff HEAD --json | jq '.marks[] | select(.name == \"ring_round\")'";

struct Side {
    std::string label;
    Costs costs;
    Exit status = Exit::done;
};

Side measure(const std::string& label, const std::filesystem::path& kernel, const Scenario& scenario) {
    const auto image = sim::Image::load(kernel);
    Simulated run = simulate(*image, scenario, {});
    const std::string failure = failure_text(run, *image, style_for(STDERR_FILENO));
    if (!failure.empty()) spdlog::error("{}: {}", label, failure);
    return {label,
            {{run.result.instructions, run.spent.cycles, run.spent.by_wait},
             std::move(run.marks),
             std::move(run.functions)},
            exit_for(run.result.stop)};
}

Exit diff(const DiffOptions& options) {
    const Environment where = environment();
    const KernelBuilds builds(where.root, where.diff_cache());
    const std::string first = builds.commit(options.before);
    const std::string second = options.after.empty() ? "" : builds.commit(options.after);
    const auto before_image = builds.image_of(first);
    const auto after_image = second.empty() ? builds.image_of_working_tree() : builds.image_of(second);

    const Side before = measure(options.before + " (" + first.substr(0, 12) + ")", before_image, options.scenario);
    if (before.status != Exit::done) return before.status;
    const Side after = measure(second.empty() ? "working tree" : options.after + " (" + second.substr(0, 12) + ")",
                               after_image, options.scenario);
    if (after.status != Exit::done) return after.status;

    const Comparison comparison = compare(before.costs, after.costs);
    const auto slower =
        options.threshold_percent ? slower_marks(comparison, *options.threshold_percent) : std::vector<std::string>{};
    const ComparisonLabels labels{before.label, after.label, slower, options.top};
    standard_output().write(options.json ? json_document(comparison_json(comparison, labels))
                                         : comparison_text(comparison, labels, style_for(STDOUT_FILENO)));
    standard_output().flush();
    for (const std::string& name : slower)
        spdlog::error("{} is slower by more than {} %", name, *options.threshold_percent);
    return slower.empty() ? Exit::done : Exit::difference;
}

}  // namespace

void add_diff(CommandLine& line) {
    CLI::App* app = line.command("diff", "Cycles and instructions gained and lost between two commits", examples);
    const auto options = std::make_shared<DiffOptions>();
    app->add_option("before", options->before, "Commit to compare with")->required();
    app->add_option("after", options->after, "Commit to look at (default: the working tree)");
    add_scenario_options(*app, options->scenario);
    add_model_option(*app, options->scenario);
    app->add_option("--threshold", options->threshold_percent,
                    "Exit 1 if a mark's median is slower by more than so many percent")
        ->check(decimal_number(0, 1'000'000));
    app->add_option("--top", options->top, "Functions in the table (default 15)")->transform(whole_number());
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] { return diff(*options); });
}

}  // namespace devenv
