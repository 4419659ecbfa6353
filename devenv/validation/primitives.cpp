// SPDX-License-Identifier: GPL-2.0-or-later
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/primitives.hpp>
#include <devenv/validation/traced_process.hpp>
#include <nlohmann/json.hpp>
#include <sim/process/child.hpp>

namespace devenv {

namespace {

// exo-bench-native --traced: so many operations between its breakpoints (bench/harness/harness.cpp says the same).
constexpr double few = 20, many = 60;
constexpr std::uint64_t most_instructions = 3'000'000;

// Waits for "ready", traces what comes, and fills `primitive`.
void model_one(Primitive& primitive, const std::string& program, const std::string& cpu) {
    std::string said;
    sim::ChildProcess child({.arguments = {program, "--traced", "--row", primitive.id},
                             .folder = {},
                             .timeout_s = 300,
                             .stop = &stop_requested(),
                             .on_output = [&said](std::string_view text) { said += text; }});
    while (said.find("ready\n") == std::string::npos)
        if (!child.pump(std::chrono::milliseconds(100)))
            throw std::runtime_error("it ended before its first operation");
    const auto model = sim::make_model(cpu);
    TracedProcess traced(child.pid());
    if (!traced.run_to_breakpoint()) throw std::runtime_error("it ended before its first breakpoint");
    const auto part = [&] {
        const sim::Cycle before = model->now();
        const TracedProcess::Steps steps = traced.step_to_breakpoint(*model, most_instructions);
        if (stop_requested()) throw Failure(Exit::interrupted, "interrupted");
        if (steps.ended) throw std::runtime_error("it ended, or went on for 3,000,000 instructions");
        if (steps.entered_linux) throw std::runtime_error("it enters Linux, which is not modelled");
        return std::pair(static_cast<double>(model->now() - before), static_cast<double>(steps.instructions));
    };
    part();  // caches and predictors
    const auto [cycles_few, instructions_few] = part();
    const auto [cycles_many, instructions_many] = part();
    primitive.modelled = (cycles_many - cycles_few) / (many - few);
    primitive.instructions = (instructions_many - instructions_few) / (many - few);
}

}  // namespace

std::vector<Primitive> measure_primitives(const std::string& cpu, const std::string& only) {
    const std::filesystem::path program = environment().native_benchmark();
    if (!std::filesystem::exists(program))
        throw Failure(Exit::missing, display(program) + ": is not built; ./exo-dev validate builds it");
    std::vector<std::string> arguments = {program.string()};
    if (!only.empty()) arguments.insert(arguments.end(), {"--row", only});
    const sim::ChildResult result =
        sim::run_child({.arguments = std::move(arguments), .folder = {}, .stop = &stop_requested()});
    if (result.interrupted) throw Failure(Exit::interrupted, "interrupted");
    if (result.status == static_cast<int>(Exit::usage))
        throw Failure(Exit::usage, "--primitive: there is none with the id '" + only + "' (exo-dev bench lists them)");
    const nlohmann::json report = nlohmann::json::parse(result.output, nullptr, false);
    if (result.status != 0 || !report.is_object() || !report.contains("rows"))
        throw Failure(Exit::difference, display(program) + " failed: " + sim::last_lines(result.errors, 3));
    std::vector<Primitive> primitives;
    for (const auto& row : report["rows"]) {
        Primitive& one = primitives.emplace_back();
        one.id = row.value("id", "");
        one.title = row.value("title", "");
        if (row.contains("exo")) {
            one.measured = row["exo"].value("median", 0.0);
            one.least = row["exo"].value("min", 0.0);
        }
        if (one.measured <= 0) one.excluded = "not measured";
        if (!one.excluded.empty() || cpu.empty()) continue;
        try {
            model_one(one, program.string(), cpu);
        } catch (const Failure&) {
            throw;
        } catch (const std::exception& error) {
            one.excluded = error.what();
        }
    }
    return primitives;
}

}  // namespace devenv
