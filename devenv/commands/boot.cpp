// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev boot: watches a real machine's serial line until its tour ends, and puts its own figures beside the
// simulated ones.
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/environment.hpp>
#include <devenv/machine_watch.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/serial_line.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/table.hpp>
#include <fstream>
#include <map>
#include <memory>
#include <sim/trace/trace.hpp>

namespace devenv {

namespace {

using Clock = std::chrono::steady_clock;

struct BootOptions {
    std::string device, compare;
    bool pty = false, json = false;
    unsigned baud = 115200;
    double timeout_s = 600;
};

constexpr const char* examples =
    "  exo-dev boot --serial /dev/ttyUSB0             watch a PC; start it with results=1 for its figures\n"
    "  exo-dev boot --serial /dev/ttyS0 --compare s.json   beside those of 'exo-dev sim --json >s.json'\n"
    "  exo-dev boot --pty                             prints a name for QEMU's -serial: a rehearsal";

// Median cycles by mark: what a machine's result of the same name stands beside.
using Simulated = std::map<std::string, std::uint64_t>;

Simulated read_json_marks(const std::string& path) {
    std::ifstream file(path);
    if (!file) throw Failure(Exit::usage, path + ": cannot be read; 'exo-dev sim --json >" + path + "' makes it");
    Simulated marks;
    try {
        const auto document = nlohmann::json::parse(file);
        for (const auto& mark : document.at("marks"))
            marks[mark.at("name").get<std::string>()] = mark.at("median").get<std::uint64_t>();
    } catch (const nlohmann::json::exception& error) {
        throw Failure(Exit::usage, path + ": is no output of 'exo-dev sim --json': " + error.what());
    }
    return marks;
}

Simulated read_trace_marks(const std::filesystem::path& path) {
    const auto reader = sim::TraceReader::open(path);
    const auto profile = sim::make_profile(reader->image());
    sim::TraceVisitor visitor;
    visitor.code = [&](const sim::CodeBlock& code) { return profile->on_code(code), true; };
    visitor.block = [&](const sim::Block& block, std::span<const sim::RetireTime> times, sim::Cycle) {
        return profile->on_block(block, times), true;
    };
    visitor.transfer_time = [&](const sim::Transfer& transfer, sim::RetireTime time) {
        return profile->on_transfer(transfer, time), true;
    };
    reader->walk(0, visitor);
    Simulated marks;
    for (const sim::MarkSummary& mark : profile->marks()) marks[mark.name] = mark.cycles.median;
    return marks;
}

// The last sim's trace is a convenience: without one there is nothing to stand beside.
Simulated simulated_marks(const std::string& compare) {
    if (!compare.empty()) return read_json_marks(compare);
    const std::filesystem::path trace = environment().trace();
    if (!std::filesystem::exists(trace)) return {};
    try {
        return read_trace_marks(trace);
    } catch (const std::exception& error) {
        spdlog::warn("no simulated figures: {}", error.what());
        return {};
    }
}

enum class Stop { machine_ended, gone, time_limit, flooded, interrupted };

// After a panic's first line the rest still comes; then the line falls silent.
constexpr auto silence_after_panic = std::chrono::milliseconds(1500);

Stop watch(SerialLine& line, MachineWatch& machine, double timeout_s) {
    const auto deadline =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout_s));
    auto last = Clock::now();
    std::string bytes;
    for (;;) {
        if (machine.end() == MachineEnd::passed || machine.end() == MachineEnd::failed) return Stop::machine_ended;
        if (machine.end() == MachineEnd::panic && Clock::now() - last > silence_after_panic) return Stop::machine_ended;
        if (interrupted()) return Stop::interrupted;
        if (machine.flooded()) return Stop::flooded;
        if (Clock::now() > deadline) return Stop::time_limit;
        switch (line.read(bytes, 100)) {
            case SerialLine::Read::data:
                machine.take(bytes);
                last = Clock::now();
                break;
            case SerialLine::Read::nothing:
                break;
            case SerialLine::Read::gone:
                return machine.end() == MachineEnd::none ? Stop::gone : Stop::machine_ended;
        }
    }
}

const char* stop_name(Stop stop, MachineEnd end) {
    switch (stop) {
        case Stop::gone:
            return "line-gone";
        case Stop::time_limit:
            return "time-limit";
        case Stop::flooded:
            return "flooded";
        case Stop::interrupted:
            return "interrupted";
        case Stop::machine_ended:
            break;
    }
    return end == MachineEnd::passed ? "passed" : end == MachineEnd::panic ? "panic" : "failed";
}

Exit exit_for(Stop stop, const MachineWatch& machine) {
    switch (stop) {
        case Stop::gone:
            return Exit::missing;
        case Stop::time_limit:
        case Stop::flooded:
            return Exit::limit;
        case Stop::interrupted:
            return Exit::interrupted;
        case Stop::machine_ended:
            break;
    }
    if (machine.end() != MachineEnd::passed) return Exit::guest_failed;
    return machine.damaged_results() ? Exit::difference : Exit::done;
}

std::string results_table(const MachineWatch& machine, const Simulated& simulated, const Style& style) {
    Table table({{"result", Align::left}, {"measured"}, {"unit", Align::left}, {"simulated"}, {"ratio"}});
    for (const MachineResult& result : machine.results()) {
        const auto mark = result.unit == "cycles" ? simulated.find(result.name) : simulated.end();
        const bool known = mark != simulated.end() && mark->second != 0;
        table.row({result.name, grouped(result.value), result.unit, known ? grouped(mark->second) : "-",
                   known ? decimal(double(result.value) / double(mark->second), 2) : "-"});
    }
    return table.empty() ? "" : "\n" + table.text(style);
}

Json report_json(const SerialLine& line, const MachineWatch& machine, Stop stop, const Simulated& simulated) {
    Json results = Json::array();
    for (const MachineResult& result : machine.results()) {
        const auto mark = result.unit == "cycles" ? simulated.find(result.name) : simulated.end();
        results.push_back({{"name", result.name},
                           {"value", result.value},
                           {"unit", result.unit},
                           {"simulated", mark == simulated.end() ? Json(nullptr) : Json(mark->second)}});
    }
    return {{"schema", report_schema},
            {"line", line.name()},
            {"stop", stop_name(stop, machine.end())},
            {"starts", machine.starts()},
            {"end", machine.end_line()},
            {"results", results},
            {"damaged_results", machine.damaged_results()},
            {"bytes", machine.bytes()},
            {"unprintable", machine.unprintable()},
            {"console_cut", machine.cut()},
            {"console", machine.console()}};
}

void explain(Stop stop, const SerialLine& line, const MachineWatch& machine, const BootOptions& options) {
    if (machine.cut())
        spdlog::warn("{} came; only the first {} was shown", byte_size(machine.bytes()),
                     byte_size(MachineWatch::shown_max));
    if (machine.unprintable() > machine.bytes() / 4 && machine.bytes() > 64)
        spdlog::warn("much of it is no text: is {} baud right (--baud), and the cable's ground connected?",
                     options.baud);
    if (machine.starts() > 1) spdlog::warn("the machine started {} times", machine.starts());
    if (machine.damaged_results())
        spdlog::error("{} result lines were damaged on the way and left out", machine.damaged_results());
    switch (stop) {
        case Stop::gone:
            spdlog::error("{}: the line went away before the tour's end", line.name());
            return;
        case Stop::time_limit:
            spdlog::error("no end of a tour within {}{}", seconds(options.timeout_s),
                          machine.bytes() ? "; raise --timeout"
                                          : ": nothing came; is the machine on and the cable a null modem?");
            return;
        case Stop::flooded:
            spdlog::error("{} and no end of a tour: the machine floods its console", byte_size(machine.bytes()));
            return;
        case Stop::interrupted:
            return;
        case Stop::machine_ended:
            break;
    }
    if (machine.end() != MachineEnd::passed) spdlog::error("the machine failed: {}", machine.end_line());
}

Exit boot(const BootOptions& options) {
    const Simulated simulated = simulated_marks(options.compare);
    SerialLine line = options.pty ? SerialLine::pseudo_terminal() : SerialLine::device(options.device, options.baud);
    if (options.pty)
        spdlog::info("the line is {}; for instance: qemu-system-x86_64 ... -serial {}", line.name(), line.name());
    else spdlog::info("watching {} at {} baud", line.name(), options.baud);
    Output& out = standard_output();
    const bool json = options.json;
    MachineWatch machine([&](std::string_view text) {
        if (json) return;
        out.write(text);
        out.flush();
    });
    const Stop stop = watch(line, machine, options.timeout_s);
    if (json) out.write(json_document(report_json(line, machine, stop, simulated)));
    else out.write(results_table(machine, simulated, style_for(STDOUT_FILENO)));
    out.flush();
    explain(stop, line, machine, options);
    return exit_for(stop, machine);
}

}  // namespace

void add_boot(CommandLine& line) {
    CLI::App* app = line.command("boot", "Watch a real machine's serial line until its tour ends", examples);
    const auto options = std::make_shared<BootOptions>();
    CLI::Option* device =
        app->add_option("--serial", options->device, "Terminal device that the machine's COM1 is connected to");
    app->add_flag("--pty", options->pty, "Open a pseudo-terminal instead and print its name")->excludes(device);
    app->add_option("--baud", options->baud, "Rate of the line (default 115200, the kernel's)")
        ->check(CLI::IsMember(known_bauds()));
    app->add_option("--compare", options->compare,
                    "Simulated figures from 'exo-dev sim --json' (default: the last sim's trace)");
    app->add_option("--timeout", options->timeout_s, "Seconds to wait for the end (default 600)")
        ->check(decimal_number(0.001, 1'000'000));
    app->add_flag("--json", options->json, "One JSON document on stdout; the console is in it");
    line.does(app, [options] {
        if (options->device.empty() && !options->pty)
            throw Failure(Exit::usage, "which line? --serial DEVICE, or --pty for a pseudo-terminal");
        return boot(*options);
    });
}

}  // namespace devenv
