// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev run: the kernel without a trace, as fast as it goes, in Unicorn or in a Linux process.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
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
#include <sim/process/child.hpp>
#include <thread>

namespace devenv {

namespace {

struct RunOptions {
    Scenario scenario;
    std::string engine = "unicorn", kernel;
    std::optional<double> timeout_s;
    bool json = false;
};

constexpr const char* examples =
    "  exo-dev run                                  the tour in Unicorn\n"
    "  exo-dev run --engine host --scenario tour    the same kernel sources in a Linux process\n"
    "  exo-dev run --kernel other.elf --cmdline quiet   another kernel, by its PVH note or multiboot2 header\n"
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
    const std::string failure = failure_text(run, *image, style_for(STDERR_FILENO));
    if (timed_out) spdlog::error("{}", time_limit_text(*options.timeout_s));
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
    return result.status == 0 ? "power-off" : "guest-failed";
}

Exit host_exit(const sim::ChildResult& result) {
    if (result.interrupted) return Exit::interrupted;
    if (result.timed_out) return Exit::limit;
    return result.status == 0 ? Exit::done : Exit::guest_failed;
}

// What the Linux process has no equivalent of is refused: an option that is ignored looks like one that changed
// nothing.
void refuse_simulator_options(const CLI::App& app) {
    for (const char* option : {"--kernel", "--clock", "--irq-at", "--jitter", "--limit", "--ram", "--entry"}) {
        if (app.count(option)) throw Failure(Exit::usage, std::string(option) + " is only for --engine unicorn");
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
    const sim::ChildResult result =
        sim::run_child({.arguments = {program.string(), "--cmdline", options.scenario.guest_command_line(), "--seed",
                                      std::to_string(options.scenario.seed)},
                        .folder = {},
                        .timeout_s = options.timeout_s,
                        .stop = &stop_requested(),
                        .on_output = [&](std::string_view text) {
                            console += text;
                            if (live) live(text);
                        }});
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
    if (host_exit(result) == Exit::guest_failed)
        spdlog::error("the kernel in the Linux process ended with status {}", result.status);
    return host_exit(result);
}

}  // namespace

void add_run(CommandLine& line) {
    CLI::App* app = line.command("run", "Run the kernel without a trace, in Unicorn or in a Linux process", examples);
    const auto options = std::make_shared<RunOptions>();
    app->add_option("--engine", options->engine,
                    "unicorn (default) or host: the same kernel sources in a Linux process")
        ->check(CLI::IsMember({"unicorn", "host"}));
    app->add_option("--kernel", options->kernel,
                    "Kernel image for unicorn, ours or another PVH or multiboot2 kernel (default: the one just built)");
    add_scenario_options(*app, options->scenario);
    app->add_option("--timeout", options->timeout_s, "Seconds after which the run is ended (default: none)")
        ->check(decimal_number(0.001, 1'000'000));
    app->add_flag("--json", options->json, "One JSON document on stdout; the console is in it");
    line.does(app, [app, options] {
        if (options->engine != "host") return run_unicorn(*options);
        refuse_simulator_options(*app);
        return run_host(*options);
    });
}

}  // namespace devenv
