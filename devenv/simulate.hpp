// SPDX-License-Identifier: GPL-2.0-or-later
// One run of one image in an engine that tells what happens, as `sim`, `run`, `diff` and `bench --self` need it:
// options in, everything that can be said about the run out.
#pragma once
#include <cstdint>
#include <devenv/exit_status.hpp>
#include <devenv/trail.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>
#include <sim/timing/model.hpp>
#include <sim/trace/profile.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace devenv {

inline constexpr std::uint64_t default_instruction_limit = 2'000'000'000;
// What a guest may print before it is ended, unless said otherwise.
inline constexpr std::uint64_t default_console_kib = 16384;

struct Scenario {
    std::string engine = "unicorn";      // or "qemu", "bochs"
    std::string clock = "instructions";  // or "cycles"
    std::vector<std::uint64_t> irq_at;
    bool jitter = false;
    std::uint64_t seed = 0;
    std::uint64_t limit = default_instruction_limit;
    std::uint64_t console_limit_kib = default_console_kib;
    std::string name;          // scenario=NAME for the guest; empty: its default, the tour
    std::string command_line;  // more for the guest
    std::uint64_t ram_mib = 128;
    unsigned cpus = 1;
    std::uint64_t quantum = sim::default_quantum;
    std::string window;                             // "bochs" only, which needs it: MARK[:N]
    std::optional<std::uint64_t> count;             // its instructions, instead of all up to the mark's end
    std::string model_cpu{sim::default_cpu_model};  // whose cycles are modelled
    std::string entry = "auto";                     // how the image is entered: auto, direct, pvh, multiboot2

    std::string guest_command_line() const;  // with the seed
};

// The options of a Scenario, with their help.
void add_scenario_options(CLI::App&, Scenario&);
void add_model_option(CLI::App&, Scenario&);  // --cpu, where it is the modelled one

// A model for each CPU of a guest. Throws Failure (usage) that begins with `asked` if there is no such CPU.
std::vector<std::unique_ptr<sim::TimingModel>> models_of(const std::string& cpu, unsigned cpus,
                                                         const std::string& asked);

// What all of them together met without knowing its cost, the most frequent first.
std::vector<sim::UnknownInstruction> unknown_to(const std::vector<std::unique_ptr<sim::TimingModel>>&);

struct Observers {
    bool time = true;                               // the timing model and the profile run along
    std::optional<std::filesystem::path> trace;     // written there
    std::function<void(std::string_view)> console;  // may be empty: the text is kept anyway
    bool progress = true;                           // on a terminal, after two seconds
};

struct TraceFile {
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    std::string error;  // why it is not complete; empty if it is
};

struct Simulated {
    std::string engine, engine_version, cpu, model, model_cpu, model_description;
    sim::RunResult result;
    double wall_s = 0;
    std::string console;
    std::vector<sim::MarkSummary> marks;           // in order of first execution
    std::vector<sim::FunctionSummary> functions;   // by cycles
    sim::Spending spent;                           // in all
    std::vector<sim::UnknownInstruction> unknown;  // by CPUs' models together, the most frequent first
    std::vector<Trail::Spot> last, hottest;        // where it was at its end
    std::uint64_t window_instructions = 0;
    std::optional<std::uint64_t> loop_instructions;  // the window is passes of one loop and nothing else
    std::optional<TraceFile> trace;

    double mips() const { return wall_s > 0 ? static_cast<double>(result.instructions) / wall_s / 1e6 : 0; }
};

// Throws sim::EngineError, sim::TraceError (before the run starts).
Simulated simulate(const sim::Image&, const Scenario&, const Observers&);

Exit exit_for(sim::StopReason);
std::string console_limit_text(std::uint64_t bytes_most);

}  // namespace devenv
