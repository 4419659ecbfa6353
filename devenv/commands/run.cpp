// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev run: the kernel without a trace, as fast as it goes: in Unicorn, in QEMU or Bochs (devenv/engines), or as a
// Linux process.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <memory>
#include <mutex>
#include <sim/bochs/configuration.hpp>
#include <sim/process/child.hpp>
#include <thread>

namespace devenv {

namespace {

struct RunOptions {
    Scenario scenario;
    std::string engine = "unicorn", kernel, cpu, firmware = "pvh", machine = "q35";
    std::optional<double> timeout_s;
    bool json = false, real_time = false;
};

constexpr const char* examples =
    "  exo-dev run                                  the tour in Unicorn\n"
    "  exo-dev run --engine host --scenario tour    the same kernel sources in a Linux process\n"
    "  exo-dev run --kernel other.elf --cmdline quiet   another kernel, by its PVH note or multiboot2 header\n"
    "  exo-dev run --engine qemu                    the same image in QEMU, by PVH\n"
    "  exo-dev run --engine qemu --firmware uefi    from an ISO, by OVMF and GRUB\n"
    "  exo-dev run --engine qemu --cpus 4 --machine pc --cpu qemu64\n"
    "  exo-dev run --engine bochs                   from an ISO, by Bochs's BIOS and GRUB\n"
    "  exo-dev run --timeout 10 --json              one JSON document, exit 5 if it takes longer";

std::function<void(std::string_view)> live_console(const RunOptions& options) {
    if (options.json) return {};
    return [](std::string_view text) {
        standard_output().write(text);
        standard_output().flush();
    };
}

// Ends the run in the engine when time is up.
class TimeLimit {
  public:
    explicit TimeLimit(std::optional<double> limit_s) {
        if (limit_s) thread_ = std::thread([this, limit_s] { wait(std::chrono::duration<double>(*limit_s)); });
    }
    ~TimeLimit() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        if (thread_.joinable()) thread_.join();
    }
    TimeLimit(const TimeLimit&) = delete;
    TimeLimit& operator=(const TimeLimit&) = delete;
    bool reached() const { return reached_.load(); }

  private:
    void wait(std::chrono::duration<double> limit) {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, limit, [this] { return over_; })) return;
        reached_ = true;
        stop_requested() = true;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::atomic<bool> reached_{false};
    std::thread thread_;
};

std::string time_limit_text(double limit_s) {
    return "the time limit of " + seconds(limit_s) + " was reached; raise --timeout";
}

Exit run_unicorn(const RunOptions& options) {
    const std::filesystem::path kernel =
        options.kernel.empty() ? environment().kernel() : std::filesystem::path(options.kernel);
    const auto image = sim::Image::load(kernel);
    TimeLimit limit(options.timeout_s);
    const Simulated run = simulate(*image, options.scenario, {.time = false, .console = live_console(options)});
    const bool timed_out = limit.reached() && run.result.stop == sim::StopReason::interrupted && !interrupted();

    Output& out = standard_output();
    if (options.json) {
        Json json = run_json(run, options.scenario);
        if (timed_out) json["stop"] = "time-limit";
        out.write(json_document(json));
    }
    out.flush();
    const std::string failure = timed_out ? time_limit_text(*options.timeout_s) + "\n" + place_text(run, *image)
                                          : failure_text(run, *image, style_for(STDERR_FILENO));
    if (!failure.empty()) spdlog::error("{}", failure);
    if (failure.empty() && !options.json) {
        spdlog::info("{} after {} instructions in {}, {} M/s", sim::name(run.result.stop),
                     grouped(run.result.instructions), seconds(run.wall_s), decimal(run.mips(), 1));
    }
    return timed_out ? Exit::limit : exit_for(run.result.stop);
}

const char* host_stop(const sim::ChildResult& result) {
    if (result.interrupted) return "interrupted";
    if (result.timed_out) return "time-limit";
    if (result.flooded) return "console-limit";
    return result.status == 0 ? "power-off" : "guest-failed";
}

Exit host_exit(const sim::ChildResult& result) {
    if (result.interrupted) return Exit::interrupted;
    if (result.timed_out || result.flooded) return Exit::limit;
    return result.status == 0 ? Exit::done : Exit::guest_failed;
}

// What an engine has no equivalent of is refused: an option that is ignored looks like one that changed nothing.
struct OptionOfSome {
    const char* option;
    std::string_view engines;
};
constexpr OptionOfSome options_of_some[] = {
    {"--kernel", "unicorn, qemu, bochs"},
    {"--ram", "unicorn, qemu, bochs"},
    {"--clock", "unicorn"},
    {"--irq-at", "unicorn"},
    {"--jitter", "unicorn"},
    {"--limit", "unicorn"},
    {"--entry", "unicorn"},
    {"--quantum", "unicorn"},
    {"--cpu", "qemu, bochs"},
    {"--firmware", "qemu"},
    {"--machine", "qemu"},
    {"--real-time", "qemu"},
};

void refuse_options_of_others(const CLI::App& app, const std::string& engine) {
    for (const auto& [option, engines] : options_of_some) {
        if (app.count(option) && engines.find(engine) == engines.npos)
            throw Failure(Exit::usage, fmt::format("{} is only for --engine {}", option, engines));
    }
}

Exit run_host(const RunOptions& options) {
    const std::filesystem::path program = environment().host();
    if (!std::filesystem::exists(program)) {
        throw Failure(Exit::missing,
                      display(program) + ": the host backend is not built; ./exo-dev run --engine host builds it");
    }
    const auto start = std::chrono::steady_clock::now();
    std::string console;
    const auto live = live_console(options);
    const sim::ChildResult result = sim::run_child(
        {.arguments = {program.string(), "--cmdline", options.scenario.guest_command_line(), "--seed",
                       std::to_string(options.scenario.seed), "--cpus", std::to_string(options.scenario.cpus)},
         .folder = {},
         .timeout_s = options.timeout_s,
         .stop = &stop_requested(),
         .on_output =
             [&](std::string_view text) {
                 console += text;
                 if (live) live(text);
             },
         .output_limit = options.scenario.console_limit_kib << 10});
    if (options.json) {
        const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
        standard_output().write(json_document({{"schema", report_schema},
                                               {"engine", "host"},
                                               {"seed", options.scenario.seed},
                                               {"command_line", options.scenario.guest_command_line()},
                                               {"stop", host_stop(result)},
                                               {"exit_status", result.status},
                                               {"wall_s", wall.count()},
                                               {"console", console},
                                               {"errors", result.errors}}));
    }
    standard_output().flush();
    if (!result.errors.empty()) spdlog::warn("exo-host: {}", sim::last_lines(result.errors, 20));
    if (result.timed_out) spdlog::error("{}", time_limit_text(*options.timeout_s));
    if (!result.interrupted && !result.timed_out && result.flooded)
        spdlog::error("{}", console_limit_text(options.scenario.console_limit_kib << 10));
    if (host_exit(result) == Exit::guest_failed)
        spdlog::error("the kernel in the Linux process ended with status {}", result.status);
    return host_exit(result);
}

sim::qemu::Boot boot_of(const RunOptions& options) {
    using sim::qemu::Boot;
    if (options.machine == "microvm" && options.firmware != "pvh")
        throw Failure(Exit::usage, "--machine microvm boots by --firmware pvh only");
    return options.firmware == "bios" ? Boot::bios : options.firmware == "uefi" ? Boot::uefi : Boot::pvh;
}

sim::qemu::Machine machine_of(const RunOptions& options) {
    using sim::qemu::Machine;
    return options.machine == "microvm" ? Machine::microvm : options.machine == "pc" ? Machine::pc : Machine::q35;
}

GuestOptions guest_options(const RunOptions& options) {
    GuestOptions guest;
    guest.kernel = options.kernel.empty() ? environment().kernel() : std::filesystem::path(options.kernel);
    if (!std::filesystem::is_regular_file(guest.kernel))
        throw Failure(Exit::usage, display(guest.kernel) + ": no such file; ./exo-dev run builds the default one");
    guest.command_line = options.scenario.guest_command_line();
    guest.cpu = options.cpu;
    guest.cpus = options.scenario.cpus;
    constexpr std::uint64_t bochs_ram_mib_most = 4096;  // of more, nothing was heard again
    if (options.engine == "bochs" && options.scenario.ram_mib > bochs_ram_mib_most)
        throw Failure(Exit::usage, "--ram " + std::to_string(options.scenario.ram_mib) + ": at most " +
                                       std::to_string(bochs_ram_mib_most) + " MiB in Bochs; more with --engine qemu");
    guest.ram_bytes = options.scenario.ram_mib << 20;
    guest.timeout_s = options.timeout_s;
    guest.console_bytes_most = options.scenario.console_limit_kib << 10;
    guest.console = live_console(options);
    guest.machine = machine_of(options);
    guest.boot = boot_of(options);
    // Counting makes OVMF take half a minute; and several CPUs would take turns on one thread.
    guest.instruction_clock = options.scenario.cpus == 1 && guest.boot != sim::qemu::Boot::uefi && !options.real_time;
    return guest;
}

Json guest_json(const GuestRun& run, const GuestOptions& guest, const RunOptions& options) {
    Json json = {{"schema", report_schema},
                 {"engine", run.engine},
                 {"engine_version", run.version},
                 {"engine_command", run.command},
                 {"cpu", guest.cpu},
                 {"cpus", guest.cpus},
                 {"ram_mib", options.scenario.ram_mib},
                 {"seed", options.scenario.seed},
                 {"command_line", guest.command_line},
                 {"stop", name(run.end)},
                 {"detail", run.detail},
                 {"exit_status", run.status},
                 {"wall_s", run.wall_s},
                 {"console", run.console},
                 {"errors", run.errors}};
    if (options.engine == "qemu") {
        json["machine"] = options.machine;
        json["firmware"] = options.firmware;
        json["clock"] = guest.instruction_clock ? "instructions" : "real-time";
    }
    return json;
}

Exit run_process(const RunOptions& options) {
    const bool qemu = options.engine == "qemu";
    GuestOptions guest = guest_options(options);
    if (guest.cpu.empty()) guest.cpu = qemu ? sim::qemu::default_cpu : sim::bochs::default_cpu;
    const GuestRun run = qemu ? run_in_qemu(guest) : run_in_bochs(guest);
    if (options.json) standard_output().write(json_document(guest_json(run, guest, options)));
    standard_output().flush();
    const Exit status = exit_for(run.end);
    if (!run.warning.empty()) spdlog::warn("{}", run.warning);
    if ((status != Exit::done || qemu) && !run.errors.empty())
        spdlog::warn("{} says:\n{}", options.engine, sim::last_lines(run.errors, 20));
    if (run.end == GuestEnd::time_limit) {
        spdlog::error("{}", time_limit_text(*options.timeout_s));
    } else if (status != Exit::done) {
        spdlog::error("{}", run.detail.empty() ? name(run.end) : run.detail);
    } else if (!options.json) {
        spdlog::info("{} after {} in {} {}, {}{}", name(run.end), seconds(run.wall_s), run.engine, run.version,
                     guest.cpu, run.detail.empty() ? "" : ": " + run.detail);
    }
    return status;
}

void add_machine_options(CLI::App& app, RunOptions& options) {
    app.add_option("--firmware", options.firmware,
                   "How QEMU's machine boots: pvh (default: the kernel itself), bios or uefi (from an ISO, by GRUB)")
        ->check(CLI::IsMember({"pvh", "bios", "uefi"}));
    app.add_option("--machine", options.machine, "QEMU's machine: q35 (default), pc or microvm")
        ->check(CLI::IsMember({"q35", "pc", "microvm"}));
    app.add_option("--cpu", options.cpu, "CPU model, as the engine calls it (qemu: max; bochs: corei7_skylake_x)");
    app.add_flag("--real-time", options.real_time,
                 "qemu: the guest's clock is this machine's. Default: it counts instructions, but not with several "
                 "CPUs or uefi");
}

}  // namespace

void add_run(CommandLine& line) {
    CLI::App* app = line.command(
        "run", "Run the kernel without a trace: in Unicorn, QEMU or Bochs, or in a Linux process", examples);
    const auto options = std::make_shared<RunOptions>();
    app->add_option("--engine", options->engine,
                    "unicorn (default), qemu, bochs, or host: the same kernel sources in a Linux process")
        ->check(CLI::IsMember({"unicorn", "host", "qemu", "bochs"}));
    app->add_option("--kernel", options->kernel,
                    "Kernel image, ours or another PVH or multiboot2 kernel (default: the one just built)");
    add_scenario_options(*app, options->scenario);
    add_machine_options(*app, *options);
    app->add_option("--timeout", options->timeout_s, "Seconds after which the run is ended (default: none)")
        ->check(decimal_number(0.001, 1'000'000));
    app->add_flag("--json", options->json, "One JSON document on stdout; the console is in it");
    line.does(app, [app, options] {
        refuse_options_of_others(*app, options->engine);
        if (options->engine == "unicorn") return run_unicorn(*options);
        return options->engine == "host" ? run_host(*options) : run_process(*options);
    });
}

}  // namespace devenv
