// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev bench: the native figures of the host backend beside their peers, or (--self) the simulator's own speed.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <devenv/command_line.hpp>
#include <devenv/commands/boot_bench.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/commands/self_bench.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/bench_report.hpp>
#include <devenv/view/format.hpp>
#include <memory>
#include <sim/process/child.hpp>

namespace devenv {

namespace {

struct BenchOptions {
    BootBenchOptions boot;
    SelfBenchOptions self;
    bool of_simulator = false, json = false, quick = false;
    std::string row;
};

constexpr const char* examples =
    "  exo-dev bench                     every native row, in core cycles\n"
    "  exo-dev bench --quick --json      few batches, for programs\n"
    "  exo-dev bench --row ring_pingpong one row, by its id\n"
    "  exo-dev bench boot                boot time by path, beside Linux's\n"
    "  exo-dev bench --self              M instructions/s of the simulator: hooks, events, timing, trace";

constexpr const char* boot_examples =
    "  exo-dev bench boot                    every path, three runs each\n"
    "  exo-dev bench boot --quick --json     one run each, as JSON\n"
    "  exo-dev bench boot --cpu max          the same with another CPU model for both kernels";

Exit native(const BenchOptions& options) {
    const std::filesystem::path program = environment().native_benchmark();
    if (!std::filesystem::exists(program)) {
        throw Failure(Exit::missing,
                      display(program) + ": the native benchmarks are not built; ./exo-dev bench builds them");
    }
    std::vector<std::string> arguments = {program.string()};
    if (options.quick) arguments.push_back("--quick");
    if (!options.row.empty()) arguments.insert(arguments.end(), {"--row", options.row});
    const sim::ChildResult result =
        sim::run_child({.arguments = std::move(arguments), .folder = {}, .stop = &stop_requested()});
    if (result.interrupted) return Exit::interrupted;
    if (result.status == static_cast<int>(Exit::usage)) throw Failure(Exit::usage, sim::last_lines(result.errors, 20));
    if (!result.errors.empty()) spdlog::info("{}", sim::last_lines(result.errors, 20));
    const Json report = Json::parse(result.output, nullptr, false);
    if (report.is_discarded()) {
        throw Failure(Exit::difference, display(program) + ": ended with status " + std::to_string(result.status) +
                                            " and printed no JSON document");
    }
    standard_output().write(options.json ? json_document(report) : bench_text(report, style_for(STDOUT_FILENO)));
    return result.status == 0 ? Exit::done : Exit::difference;
}

}  // namespace

void add_bench(CommandLine& line) {
    CLI::App* app = line.command("bench", "Native figures in core cycles, or the simulator's own speed", examples);
    const auto options = std::make_shared<BenchOptions>();
    app->add_flag("--quick", options->quick, "Few batches");
    CLI::Option* row = app->add_option("--row", options->row, "Only the row with this id");
    app->add_flag("--self", options->of_simulator, "The simulator's own speed")->excludes(row);
    app->add_option("--kernel", options->self.kernel, "Kernel image for --self (default: the one just built)");
    app->add_flag("--json", options->json, "One JSON document on stdout");
    CLI::App* boot = line.command(app, "boot", "Boot time by path, beside Linux's in the same QEMU", boot_examples);
    boot->add_option("--kernel", options->boot.kernel, "Kernel image (default: the one just built)");
    boot->add_option("--cpu", options->boot.cpu, "QEMU's CPU model, for our kernel and for Linux (default qemu64)");
    boot->add_option("--runs", options->boot.runs, "Runs for the wall time (default 3)")
        ->transform(whole_number(1, 1000));
    boot->add_flag("--quick", options->boot.quick, "One run each; UEFI's instructions are not counted");
    boot->add_flag("--json", options->boot.json, "One JSON document on stdout");
    line.does(app, [boot, options] {
        if (boot->parsed()) return boot_bench(options->boot);  // this action is also set when the subcommand was named
        options->self.quick = options->quick;
        options->self.json = options->json;
        return options->of_simulator ? self_bench(options->self) : native(*options);
    });
}

}  // namespace devenv
