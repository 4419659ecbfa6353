// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev sim: the main job. Runs the image with the timing model, stores the trace, shows what it cost.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/commands/figures_options.hpp>
#include <devenv/commands/strict.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/run_report.hpp>
#include <memory>
#include <sim/bochs/engine.hpp>

namespace devenv {

namespace {

struct SimOptions {
    Scenario scenario;
    std::string kernel, trace;
    bool no_trace = false, json = false;
    FiguresOptions figures;
    std::string strict_percent;
};

constexpr const char* examples =
    "  exo-dev sim                                 the tour, with a trace in build/sim.trace\n"
    "  exo-dev sim --json --no-trace | jq .marks   figures for programs\n"
    "  exo-dev sim --jitter --seed 7               interrupts at other instructions, reproducibly\n"
    "  exo-dev sim --irq-at 120000 --irq-at 120001 a timer interrupt before exactly these instructions\n"
    "  exo-dev sim --kernel my.elf --cmdline scenario=contract --limit 50000000\n"
    "  exo-dev sim --kernel other.elf --no-trace   another kernel, by its PVH note or multiboot2 header\n"
    "  exo-dev sim --engine bochs --window user.null_call:500\n"
    "                                              one window of the run, from Bochs's debugger\n"
    "  exo-dev sim --stack --misses --sources      causes of waiting, misses, what the cycles rest on, as tables\n"
    "  exo-dev sim --strict=10                     exit 1 if more than 10 % of a mark rests on estimates\n"
    "  exo-dev sim --entry multiboot2              ours, as GRUB would enter it";

std::optional<std::filesystem::path> trace_path(const SimOptions& options, const std::filesystem::path& kernel) {
    if (options.no_trace) return std::nullopt;
    const std::filesystem::path path =
        options.trace.empty() ? environment().trace() : std::filesystem::path(options.trace);
    std::error_code different;
    if (std::filesystem::equivalent(path, kernel, different) && !different) {
        throw Failure(Exit::usage, path.string() + ": is the kernel image itself; give --trace another file");
    }
    if (options.trace.empty()) std::filesystem::create_directories(path.parent_path(), different);
    return path;
}

std::string tables(const Simulated& run, bool marks, const SimOptions& options, const Style& style) {
    std::string out = run.console.empty() || run.console.back() == '\n' ? "\n" : "\n\n";
    return out + figures_text(run, marks, options.figures, style) + totals_text(run, options.scenario, style) + "\n" +
           next_steps_text(run, options.kernel.empty(), style);
}

Exit sim(const SimOptions& options) {
    const std::filesystem::path kernel =
        options.kernel.empty() ? environment().kernel() : std::filesystem::path(options.kernel);
    const auto image = sim::Image::load(kernel);
    Output& out = standard_output();
    Observers observers;
    observers.trace = trace_path(options, kernel);
    if (!options.json) {
        observers.console = [&out](std::string_view text) {
            out.write(text);
            out.flush();
        };
    }
    const Simulated run = simulate(*image, options.scenario, observers);

    if (options.json) {
        Json json = sim_json(run, options.scenario);
        json["strict"] = strict_json(run, options.strict_percent);
        out.write(json_document(json));
    } else {
        out.write(tables(run, !image->marks().empty(), options, style_for(STDOUT_FILENO)));
    }
    out.flush();
    const std::string failure = failure_text(run, *image, style_for(STDERR_FILENO));
    if (!failure.empty()) spdlog::error("{}", failure);
    Exit status = exit_for(run.result.stop);
    if (!options.scenario.window.empty() && run.result.stop == sim::StopReason::power_off) {
        spdlog::error("{}", run.result.detail);  // the guest ended well, but there is no whole window
        status = Exit::difference;
    }
    if (!sure_enough(run, options.strict_percent) && status == Exit::done) status = Exit::difference;
    if (run.trace && !run.trace->error.empty()) {
        spdlog::error("{}", run.trace->error);
        if (status == Exit::done) status = Exit::difference;
    }
    return status;
}

}  // namespace

void add_sim(CommandLine& line) {
    CLI::App* app =
        line.command("sim", "Run the image in the simulator: console, cycles by mark and function, trace", examples);
    const auto options = std::make_shared<SimOptions>();
    app->add_option(
        "--kernel", options->kernel,
        "Kernel image, an x86 ELF file, ours or another PVH or multiboot2 kernel (default: the one just built)");
    app->add_option("--engine", options->scenario.engine,
                    "unicorn (default), qemu, or bochs, which traces a window of the run")
        ->check(CLI::IsMember({"unicorn", "qemu", "bochs"}));
    app->add_option("--window", options->scenario.window,
                    "bochs: trace from the N-th begin of a mark to its end, MARK[:N], 1,000,000 instructions at most");
    app->add_option("--count", options->scenario.count, "bochs: trace so many instructions from the window's begin")
        ->transform(whole_number(1, sim::bochs_window_most));
    add_scenario_options(*app, options->scenario);
    add_model_option(*app, options->scenario);
    CLI::Option* trace = app->add_option("--trace", options->trace, "Trace file to write (default build/sim.trace)");
    app->add_flag("--no-trace", options->no_trace, "Write no trace")->excludes(trace);
    add_figures_options(*app, options->figures);
    add_strict_option(*app, options->strict_percent);
    app->add_flag("--json", options->json, "One JSON document on stdout; the console is in it");
    line.does(app, [options] { return sim(*options); });
}

}  // namespace devenv
