// SPDX-License-Identifier: GPL-2.0-or-later
// Instructions come from one run whose time stamp counts instructions, wall times from others in real time: counting
// makes an engine slower.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <abi/result.hpp>
#include <algorithm>
#include <chrono>
#include <devenv/commands/boot_bench.hpp>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>
#include <devenv/linux_guest.hpp>
#include <devenv/machine_watch.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/table.hpp>
#include <functional>
#include <sim/bochs/configuration.hpp>
#include <sim/engine.hpp>
#include <sim/process/child.hpp>

namespace devenv {

namespace {

using sim::qemu::Boot;
using sim::qemu::Machine;

constexpr double timeout_s = 600;
constexpr const char* our_line = "Exo-OS ";  // printed at the end of boot
constexpr const char* guest_options_text = "results=1";

// Runs a guest and notes when `line` was seen.
struct Timed {
    GuestRun run;
    std::optional<double> seen_s;
};

Timed timed(GuestOptions options, const std::function<GuestRun(const GuestOptions&)>& engine, const char* line) {
    Timed result;
    std::string text;
    const auto start = std::chrono::steady_clock::now();
    options.timeout_s = timeout_s;
    options.console = [&](std::string_view more) {
        if (result.seen_s) return;
        text += more;
        if (text.find(line) == std::string::npos) return;
        result.seen_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    result.run = engine(options);
    if (result.run.end == GuestEnd::interrupted) throw Failure(Exit::interrupted, "interrupted");
    return result;
}

std::string why(const Timed& run) {
    if (run.run.end != GuestEnd::power_off) return std::string(name(run.run.end)) + ": " + run.run.detail;
    return run.seen_s ? "" : "its console never showed the line that ends the boot";
}

std::optional<double> median_wall(std::uint64_t runs, BootRow& row, const std::function<Timed()>& once) {
    std::vector<double> times;
    for (std::uint64_t i = 0; i < runs; ++i) {
        const Timed run = once();
        row.missing = why(run);
        if (!row.missing.empty()) return std::nullopt;
        times.push_back(*run.seen_s);
    }
    row.wall_runs = runs;
    std::sort(times.begin(), times.end());
    const std::size_t middle = times.size() / 2;
    return times.size() % 2 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
}

void take_results(const std::string& console, BootRow& row) {
    row.to_entry = boot_result(console, "boot.power_on_to_entry");
    row.to_end = boot_result(console, "boot");
    constexpr std::string_view start = "exo-result 1 boot.";
    for (std::size_t at = 0; (at = console.find(start, at)) != std::string::npos; at += start.size()) {
        const std::string phase =
            console.substr(at + start.size(), console.find(' ', at + start.size()) - at - start.size());
        const auto value = boot_result(console, "boot." + phase);
        if (value && phase != "power_on_to_entry") row.phases.emplace_back(phase, *value);
    }
    if (!row.to_end) row.missing = "the kernel printed no results";
}

struct OurPath {
    const char* name;
    Machine machine;
    Boot boot;
    const char* configuration;
};
constexpr OurPath our_paths[] = {
    {"QEMU microvm, PVH", Machine::microvm, Boot::pvh, "microvm"},
    {"QEMU pc, PVH, qboot", Machine::pc, Boot::qboot, "pc, qboot.rom"},
    {"QEMU q35, PVH", Machine::q35, Boot::pvh, "q35, SeaBIOS with -kernel"},
    {"QEMU q35, SeaBIOS, GRUB", Machine::q35, Boot::bios, "q35, ISO"},
    {"QEMU q35, OVMF, GRUB", Machine::q35, Boot::uefi, "q35, ISO"},
};

class Bench {
  public:
    explicit Bench(const BootBenchOptions& options) : options_(options) {
        guest_.kernel = options.kernel.empty() ? environment().kernel() : std::filesystem::path(options.kernel);
        guest_.command_line = guest_options_text;
        guest_.cpu = options.cpu;
    }

    std::vector<BootRow> rows() {
        add("Board, direct entry", [this](BootRow& row) { board(row); });
        for (const OurPath& path : our_paths) add(path.name, [&](BootRow& row) { ours(path, row); });
        add("Bochs, BIOS, GRUB", [this](BootRow& row) { bochs(row); });
        add("Linux, QEMU q35", [this](BootRow& row) { debian(row); });
        return std::move(rows_);
    }

  private:
    // A path that cannot run says why in its row; the others go on.
    void add(const char* name, const std::function<void(BootRow&)>& measure) {
        BootRow row{.path = name};
        spdlog::info("{}", name);
        try {
            measure(row);
        } catch (const Failure& failure) {
            if (failure.status == Exit::interrupted) throw;
            row.missing = failure.what();
        } catch (const sim::EngineError& error) {
            row.missing = error.what();
        } catch (const sim::ProcessError& error) {
            row.missing = error.what();
        }
        rows_.push_back(std::move(row));
    }
    std::uint64_t runs() const { return options_.quick ? 1 : options_.runs; }
    std::string qemu_configuration(const char* machine) const {
        return std::string(machine) + ", -cpu " + options_.cpu + ", 128 MiB, -icount shift=0,sleep=off";
    }

    void board(BootRow& row) {
        const auto image = sim::Image::load(guest_.kernel);
        Scenario scenario;
        scenario.command_line = guest_options_text;
        const Simulated run = simulate(*image, scenario, {.time = false, .progress = false});
        if (run.result.stop == sim::StopReason::interrupted) throw Failure(Exit::interrupted, "interrupted");
        row.configuration = "Unicorn, no firmware, 128 MiB";
        take_results(run.console, row);
    }

    void ours(const OurPath& path, BootRow& row) {
        GuestOptions guest = guest_;
        guest.machine = path.machine;
        guest.boot = path.boot;
        row.configuration = qemu_configuration(path.configuration);
        const auto run = [&](bool counted) {
            guest.instruction_clock = counted;
            return timed(guest, run_in_qemu, our_line);
        };
        row.wall_s = median_wall(runs(), row, [&] { return run(false); });
        if (!row.wall_s) return;
        if (path.boot == Boot::uefi && options_.quick) {
            row.missing = "not counted with --quick: it takes a minute";
            return;
        }
        const Timed counted = run(true);
        row.missing = why(counted);
        if (row.missing.empty()) take_results(counted.run.console, row);
    }

    void bochs(BootRow& row) {
        GuestOptions guest = guest_;
        guest.cpu = sim::bochs::default_cpu;
        row.configuration = "Bochs 2.7, " + guest.cpu + ", 128 MiB, ISO";
        Timed last;
        row.wall_s = median_wall(runs(), row, [&] { return last = timed(guest, run_in_bochs, our_line); });
        if (row.wall_s) take_results(last.run.console, row);
    }

    void debian(BootRow& row) {
        const LinuxGuest guest_files = assemble_linux_guest(environment().root / "build" / "linux-guest");
        row.path = "Linux " + guest_files.version;
        row.configuration = qemu_configuration("q35") + ", initramfs with one static program";
        GuestOptions guest = guest_;
        guest.kernel = guest_files.kernel;
        guest.initrd = guest_files.initramfs;
        guest.command_line = "console=ttyS0 quiet panic=-1";
        constexpr const char* line = "linux-init tsc=";
        guest.instruction_clock = false;
        row.wall_s = median_wall(runs(), row, [&] { return timed(guest, run_in_qemu, line); });
        if (!row.wall_s) return;
        guest.instruction_clock = true;
        const Timed counted = timed(guest, run_in_qemu, line);
        guest.kernel = guest_files.entry_probe;
        const Timed probe = timed(guest, run_in_qemu, "kernel-entry tsc=");
        const auto end = linux_init_tsc(counted.run.console);
        row.to_entry = linux_entry_tsc(probe.run.console);
        if (end && row.to_entry) row.to_end = *end - *row.to_entry;
        if (!row.to_end) row.missing = "it did not report its time stamps";
    }

    const BootBenchOptions& options_;
    GuestOptions guest_;
    std::vector<BootRow> rows_;
};

Json json_of(const BootRow& row) {
    const auto number = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
    Json phases = Json::object();
    for (const auto& [phase, value] : row.phases) phases[phase] = value;
    return {{"path", row.path},
            {"configuration", row.configuration},
            {"instructions_to_entry", number(row.to_entry)},
            {"instructions_entry_to_end", number(row.to_end)},
            {"phases", phases},
            {"wall_s", number(row.wall_s)},
            {"wall_runs", row.wall_runs},
            {"missing", row.missing.empty() ? Json(nullptr) : Json(row.missing)}};
}

std::string text_of(const std::vector<BootRow>& rows, const Style& style) {
    const auto number = [](const auto& value) { return value ? grouped(*value) : std::string("-"); };
    Table table({{"path", Align::left}, {"to entry"}, {"entry to end"}, {"wall"}});
    std::vector<Column> columns = {{"path", Align::left}};
    for (const BootRow& row : rows) {
        for (const auto& [phase, value] : row.phases) {
            const auto same = [&](const Column& column) { return column.title == phase; };
            if (std::none_of(columns.begin(), columns.end(), same)) columns.push_back({phase});
        }
    }
    Table phases(columns);
    std::string notes;
    for (const BootRow& row : rows) {
        table.row({row.path, number(row.to_entry), number(row.to_end), row.wall_s ? seconds(*row.wall_s) : "-"});
        if (!row.phases.empty()) {
            std::vector<std::string> cells = {row.path};
            for (std::size_t i = 1; i < columns.size(); ++i) {
                const auto named = [&](const auto& phase) { return phase.first == columns[i].title; };
                const auto found = std::find_if(row.phases.begin(), row.phases.end(), named);
                cells.push_back(found == row.phases.end() ? "-" : grouped(found->second));
            }
            phases.row(cells);
        }
        notes += "  " + row.path + ": " + row.configuration +
                 (row.missing.empty() ? "" : (row.configuration.empty() ? "" : "; ") + row.missing) + "\n";
    }
    std::string out =
        "Instructions from power-on to the kernel's entry and from there to the end of boot; wall time from\n"
        "the engine's start to the first line after boot (median, clock not counted).\n\n" +
        table.text(style);
    if (!phases.empty()) out += "\nInstructions by phase\n\n" + phases.text(style);
    return out + "\n" + notes;
}

}  // namespace

std::optional<std::uint64_t> boot_result(std::string_view console, std::string_view name) {
    const std::string start = std::string(exo::abi::result_start) + std::string(name) + " ";
    const std::size_t at = console.find(start);
    if (at == console.npos) return std::nullopt;
    const MachineResult result = parse_result(console.substr(at, console.find_first_of("\r\n", at) - at));
    return result.name == name ? std::optional(result.value) : std::nullopt;
}

Exit boot_bench(const BootBenchOptions& options) {
    const std::vector<BootRow> rows = Bench(options).rows();
    Json list = Json::array();
    for (const BootRow& row : rows) list.push_back(json_of(row));
    standard_output().write(options.json ? json_document({{"schema", report_schema}, {"rows", list}})
                                         : text_of(rows, style_for(STDOUT_FILENO)));
    return Exit::done;
}

}  // namespace devenv
