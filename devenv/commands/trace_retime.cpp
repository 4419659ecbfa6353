// SPDX-License-Identifier: GPL-2.0-or-later
// The stored events go through model, profile and writer as a live run's do: the same model gives the same cycles.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <devenv/commands/figures_options.hpp>
#include <devenv/commands/strict.hpp>
#include <devenv/commands/trace_retime.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <memory>
#include <sim/trace/replay.hpp>
#include <sim/trace/threaded_sink.hpp>

namespace devenv {

namespace {

struct RetimeOptions {
    std::string file, cpu, out;
    bool json = false;
    FiguresOptions figures;
    std::string strict_percent;
};

// The trace that is read may not be overwritten while it is.
void check_output(const RetimeOptions& options) {
    std::error_code different;
    if (!options.out.empty() && std::filesystem::equivalent(options.file, options.out, different) && !different)
        throw Failure(Exit::usage, options.out + ": is the trace that is read; give -o another file");
}

struct Retimed {
    Simulated run;  // model and figures; of the rest what the trace says
    std::string damage;
};

Retimed retime_trace(const RetimeOptions& options, sim::TraceReader& reader) {
    sim::TraceInfo info = reader.info();
    const auto models = options.cpu.empty()
                            ? models_of(info.model_cpu, info.cpus, options.file + " was timed as " + info.model_cpu)
                            : models_of(options.cpu, info.cpus, "--cpu " + options.cpu);
    std::vector<sim::TimingModel*> by_cpu;
    for (const auto& each : models) by_cpu.push_back(each.get());
    info.model = models[0]->name();
    info.model_cpu = models[0]->cpu();
    const auto profile = sim::make_profile(reader.image());
    sim::TraceInfo at_start = info;  // as a live run's: the end is not known
    at_start.complete = false;
    at_start.stop.clear();
    at_start.instructions = at_start.cycles = at_start.placeholder_cycles = 0;
    const auto writer = options.out.empty() ? nullptr : sim::make_trace_writer(options.out, at_start, reader.image());
    const auto pipeline = sim::make_pipeline(by_cpu, profile.get(), writer.get());

    Retimed done;
    Simulated& run = done.run;
    const auto start = std::chrono::steady_clock::now();
    const auto threaded = sim::make_threaded_sink(*pipeline);
    done.damage = reader.walk(0, sim::replay_to(*threaded, &stop_requested())).value_or("");
    if (interrupted()) return done;
    threaded->finish();
    run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    run.model = info.model;
    run.model_cpu = info.model_cpu;
    run.model_description = models[0]->description();
    run.marks = profile->marks();
    run.functions = profile->functions();
    run.spent = profile->total();
    run.unknown = unknown_to(models);
    run.result.instructions = run.spent.instructions;
    if (writer) run.trace = {.path = options.out, .bytes = writer->finish(info), .error = ""};
    return done;
}

std::string text(const Retimed& done, const sim::TraceReader& reader, const RetimeOptions& options,
                 const Style& style) {
    const sim::TraceInfo& info = reader.info();
    const Simulated& run = done.run;
    std::string out = figures_text(run, !reader.image().marks().empty(), options.figures, style);
    out += style.bold("  totals") + "\n";
    out += total_line("instructions", grouped(run.spent.instructions), style) + spending_lines(run, style);
    out += total_line("before", grouped(info.cycles) + " cycles, " + info.model + " (" + info.model_cpu + ")", style);
    out += total_line("time", seconds(run.wall_s) + ", " + decimal(run.mips(), 1) + " M instructions/s", style);
    out += model_line(run, style);
    if (run.trace) out += total_line("trace", display(run.trace->path) + ", " + byte_size(run.trace->bytes), style);
    return out;
}

Json document(const Retimed& done, const sim::TraceInfo& info, const RetimeOptions& options) {
    Json json = {{"schema", report_schema},
                 {"instructions", done.run.spent.instructions},
                 {"before", {{"model", info.model}, {"model_cpu", info.model_cpu}, {"cycles", info.cycles}}},
                 {"wall_s", done.run.wall_s},
                 {"mips", done.run.mips()},
                 {"damage", done.damage.empty() ? Json(nullptr) : Json(done.damage)}};
    json.update(figures_json(done.run));
    json["strict"] = strict_json(done.run, options.strict_percent);
    json["trace"] = nullptr;
    if (const auto& trace = done.run.trace) json["trace"] = {{"path", display(trace->path)}, {"bytes", trace->bytes}};
    return json;
}

Exit retime(const RetimeOptions& options) {
    check_output(options);
    const auto reader = sim::TraceReader::open(options.file);
    const Retimed done = retime_trace(options, *reader);
    if (interrupted()) return Exit::interrupted;
    standard_output().write(options.json ? json_document(document(done, reader->info(), options))
                                         : text(done, *reader, options, style_for(STDOUT_FILENO)));
    standard_output().flush();
    bool good = done.damage.empty();
    if (!good) spdlog::error("{}", done.damage);
    good = sure_enough(done.run, options.strict_percent) && good;
    return good ? Exit::done : Exit::difference;
}

}  // namespace

void add_retime(CommandLine& line, CLI::App* parent) {
    CLI::App* app =
        line.command(parent, "retime", "Cycles of a stored run computed again, without running the guest",
                     "  exo-dev trace retime                         the last sim, by the model as it is now\n"
                     "  exo-dev trace retime my.trace --cpu znver4 --stack\n"
                     "  exo-dev trace retime my.trace -o new.trace   with the new cycles, for trace show");
    const auto options = std::make_shared<RetimeOptions>();
    options->file = environment().trace().string();
    app->add_option("file", options->file, "Trace file (default build/sim.trace, where sim writes)");
    app->add_option("--cpu", options->cpu, "CPU whose cycles they are to be (default: that of the trace)");
    app->add_option("-o,--output", options->out, "Trace file to write, with the new cycles")
        ->check([](const std::string& path) { return path.empty() ? "is empty: name a file" : ""; }, "");
    add_figures_options(*app, options->figures);
    add_strict_option(*app, options->strict_percent);
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] { return retime(*options); });
}

}  // namespace devenv
