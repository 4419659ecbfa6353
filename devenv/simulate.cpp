// SPDX-License-Identifier: GPL-2.0-or-later
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <devenv/engines.hpp>
#include <devenv/numbers.hpp>
#include <devenv/signals.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/progress.hpp>
#include <functional>
#include <map>
#include <sim/trace/threaded_sink.hpp>
#include <sim/trace/trace.hpp>
#include <thread>

namespace devenv {

namespace {

using SteadyClock = std::chrono::steady_clock;

const std::map<std::string, sim::BootProtocol> entry_protocols = {{"auto", sim::BootProtocol::automatic},
                                                                  {"direct", sim::BootProtocol::direct},
                                                                  {"pvh", sim::BootProtocol::pvh},
                                                                  {"multiboot2", sim::BootProtocol::multiboot2}};

sim::RunConfig configure(const sim::Image& image, const Scenario& scenario) {
    sim::RunConfig config;
    config.image = &image;
    config.command_line = scenario.guest_command_line();
    config.ram_bytes = scenario.ram_mib << 20;
    config.entry = entry_protocols.at(scenario.entry);
    config.clock = scenario.clock == "cycles" ? sim::Clock::cycles : sim::Clock::instructions;
    config.cpus = scenario.cpus;
    config.quantum = scenario.quantum;
    config.seed = scenario.seed;
    config.jitter = scenario.jitter;
    config.irq_at = scenario.irq_at;
    config.instruction_limit = scenario.limit;
    config.stop = &stop_requested();
    return config;
}

sim::TraceInfo trace_start(const sim::Engine& engine, const sim::TimingModel& model, const sim::Image& image,
                           const Scenario& scenario) {
    sim::TraceInfo info;
    info.engine = engine.name();
    info.engine_version = engine.version();
    info.cpu = engine.cpu();
    info.model = model.name();
    info.model_cpu = model.cpu();
    info.image_name = image.name();
    info.build_id = image.build_id();
    info.command_line = scenario.guest_command_line();
    info.clock = scenario.clock;
    info.seed = scenario.seed;
    info.jitter = scenario.jitter;
    info.irq_at = scenario.irq_at;
    info.cpus = scenario.cpus;
    info.quantum = scenario.quantum;
    info.ram_bytes = scenario.ram_mib << 20;
    return info;
}

std::string progress_line(std::uint64_t instructions, std::uint64_t limit, SteadyClock::time_point start) {
    const double elapsed = std::chrono::duration<double>(SteadyClock::now() - start).count();
    return "  " + grouped(instructions) + " instructions, " +
           decimal(static_cast<double>(instructions) / elapsed / 1e6, 1) + " M/s, " +
           percent(static_cast<double>(instructions), static_cast<double>(limit)) + " of the limit";
}

TraceFile finish_trace(sim::TraceWriter& writer, const std::filesystem::path& path, sim::TraceInfo info,
                       const Simulated& run) {
    info.complete = true;
    info.stop = std::string(sim::name(run.result.stop));
    info.instructions = run.result.instructions;
    info.cycles = run.spent.cycles;
    info.placeholder_cycles = run.spent.placeholder_cycles;
    TraceFile file{.path = path};
    try {
        file.bytes = writer.finish(info);
    } catch (const sim::TraceError& error) {
        file.error = error.what();
        std::error_code missing;
        const auto bytes = std::filesystem::file_size(path, missing);
        if (!missing) file.bytes = bytes;
    }
    return file;
}

void take_profile(const sim::Profile& profile, Simulated& run) {
    run.marks = profile.marks();
    run.functions = profile.functions();
    run.spent = profile.total();
}

void take_trail(const Trail& trail, Simulated& run) {
    run.last = trail.last(8);
    run.hottest = trail.hottest(5);
    run.window_instructions = trail.window_instructions();
    run.loop_instructions = trail.loop_instructions();
}

// The engine's run itself, with the console and the progress line around it. A guest that floods its console would fill
// memory and the reader's screen: it is ended.
void execute(sim::Engine& engine, sim::RunConfig config, const Observers& observers, const Scenario& scenario,
             Simulated& run) {
    const std::uint64_t limit = scenario.limit, console_most = scenario.console_limit_kib << 10;
    bool flooded = false;
    std::atomic<std::uint64_t> retired{0};
    config.progress = &retired;
    const auto start = SteadyClock::now();
    std::optional<Progress> progress;
    if (observers.progress) progress.emplace([&] { return progress_line(retired.load(), limit, start); });
    config.console = [&](std::string_view text) {
        const std::uint64_t room = console_most - run.console.size();
        if (text.size() > room) flooded = stop_requested() = true;
        text = text.substr(0, room);
        run.console += text;
        if (!observers.console || text.empty()) return;
        if (!progress) return observers.console(text);
        progress->around([&] { observers.console(text); }, text.back() == '\n');
    };
    run.result = engine.run(config);
    run.wall_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
    if (!flooded || run.result.stop != sim::StopReason::interrupted || interrupted()) return;
    stop_requested() = false;
    run.result.stop = sim::StopReason::console_limit;
    run.result.detail = console_limit_text(console_most);
}

}  // namespace

std::string Scenario::guest_command_line() const {
    return (name.empty() ? "" : "scenario=" + name + " ") + (command_line.empty() ? "" : command_line + " ") +
           "seed=" + std::to_string(seed);
}

void add_scenario_options(CLI::App& app, Scenario& scenario) {
    app.add_option("--clock", scenario.clock,
                   "The guest's time stamp counts retired 'instructions' (default) or modelled 'cycles'")
        ->check(CLI::IsMember({"instructions", "cycles"}));
    app.add_option("--irq-at", scenario.irq_at, "Extra timer interrupts before these retired-instruction numbers")
        ->transform(whole_number());
    app.add_flag("--jitter", scenario.jitter, "Delay interrupts by a few instructions, drawn from the seed");
    app.add_option("--seed", scenario.seed, "Seed of everything random; the guest gets it as seed=N (default 0)")
        ->transform(whole_number());
    app.add_option("--limit", scenario.limit, "Instructions after which the run is ended (default 2,000,000,000)")
        ->transform(whole_number(1));
    app.add_option("--console-limit", scenario.console_limit_kib,
                   "KiB that the guest may print before it is ended (default 16384)")
        ->transform(whole_number(1, 4 << 20));
    app.add_option("--scenario", scenario.name,
                   "What the guest does: tour (default), stress, contract, calibrate, idle, panic");
    app.add_option("--cmdline", scenario.command_line, "More for the guest's command line");
    app.add_option("--ram", scenario.ram_mib,
                   "Memory of the guest in MiB (default 128; above 3072 only 'run' in qemu and bochs)")
        ->transform(whole_number(16, ram_mib_most));
    app.add_option("--cpus", scenario.cpus, "CPUs of the guest (default 1)")
        ->transform(whole_number(1, sim::cpus_most));
    app.add_option("--quantum", scenario.quantum,
                   "Instructions that a CPU runs ahead of the others, on the average (default 600): results that "
                   "change when it is halved depend on it")
        ->transform(whole_number(1, 1'000'000));
    app.add_option("--entry", scenario.entry,
                   "How the image is entered: auto (default; ours directly, others by PVH, else multiboot2), direct "
                   "(64-bit, at the ELF entry), pvh, multiboot2")
        ->check(CLI::IsMember({"auto", "direct", "pvh", "multiboot2"}));
}

void add_model_option(CLI::App& app, Scenario& scenario) {
    app.add_option("--cpu", scenario.model_cpu, "CPU whose cycles are modelled (default znver4)");
}

std::vector<std::unique_ptr<sim::TimingModel>> models_of(const std::string& cpu, unsigned cpus,
                                                         const std::string& asked) {
    try {
        return sim::make_models(cpu, cpus);
    } catch (const std::runtime_error& error) {
        throw Failure(Exit::usage, asked + ": " + error.what());
    }
}

std::vector<sim::UnknownInstruction> unknown_to(const std::vector<std::unique_ptr<sim::TimingModel>>& models) {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& model : models)
        for (const sim::UnknownInstruction& one : model->unknown()) counts[one.opcode] += one.count;
    std::vector<sim::UnknownInstruction> all;
    for (const auto& [opcode, count] : counts) all.push_back({opcode, count});
    std::ranges::stable_sort(all, std::greater(), &sim::UnknownInstruction::count);
    return all;
}

Simulated simulate(const sim::Image& image, const Scenario& scenario, const Observers& observers) {
    Simulated run;
    const auto engine = make_engine(scenario.engine, scenario, image);
    run.engine = engine->name();
    run.engine_version = engine->version();
    run.cpu = engine->cpu();
    sim::RunConfig config = configure(image, scenario);

    if (!observers.time && config.clock == sim::Clock::instructions) {
        execute(*engine, std::move(config), observers, scenario, run);
        return run;
    }
    const auto models = models_of(scenario.model_cpu, scenario.cpus, "--cpu " + scenario.model_cpu);
    std::vector<sim::TimingModel*> by_cpu;
    for (const auto& each : models) by_cpu.push_back(each.get());
    sim::TimingModel* const model = by_cpu[0];
    const auto profile = sim::make_profile(image);
    const sim::TraceInfo info = trace_start(*engine, *model, image, scenario);
    const auto writer = observers.trace ? sim::make_trace_writer(*observers.trace, info, image) : nullptr;
    const auto pipeline = sim::make_pipeline(by_cpu, profile.get(), writer.get());
    // The guest's clock of modelled cycles needs them at once.
    const bool at_once = config.clock == sim::Clock::cycles || std::thread::hardware_concurrency() < 2;
    const auto threaded = at_once ? nullptr : sim::make_threaded_sink(*pipeline);
    Trail trail(threaded ? *threaded : *pipeline);
    run.model = model->name();
    run.model_cpu = model->cpu();
    run.model_description = model->description();
    config.events = &trail;
    if (at_once) config.modelled_cycles = [model] { return model->now(); };
    execute(*engine, std::move(config), observers, scenario, run);
    if (threaded) threaded->finish();
    take_profile(*profile, run);
    run.unknown = unknown_to(models);
    take_trail(trail, run);
    if (writer) run.trace = finish_trace(*writer, *observers.trace, info, run);
    return run;
}

std::string console_limit_text(std::uint64_t bytes_most) {
    return "the guest printed more than " + std::to_string(bytes_most >> 10) +
           " KiB on its console; raise --console-limit";
}

Exit exit_for(sim::StopReason reason) {
    using enum sim::StopReason;
    switch (reason) {
        case power_off:
        case window_end:
            return Exit::done;
        case guest_failed:
        case triple_fault:
        case halted_for_ever:
        case reset:
        case outside_ram:
            return Exit::guest_failed;
        case instruction_limit:
        case console_limit:
            return Exit::limit;
        case imposed:  // lockstep only, which judges by itself
        case interrupted:
            return Exit::interrupted;
        case unsupported:
        case engine_error:
            return Exit::missing;
    }
    return Exit::missing;
}

}  // namespace devenv
