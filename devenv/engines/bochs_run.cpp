// SPDX-License-Identifier: GPL-2.0-or-later
// Bochs exits with 1 whatever happened. How the guest ended is put together from what the guest writes to port 0xe9 at
// its end (hal/x86_64/power.cpp), which Bochs prints, and from Bochs's log: resets, panics, a shutdown.
#include <fcntl.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <devenv/engines/guest_run.hpp>
#include <devenv/signals.hpp>
#include <sim/bochs/configuration.hpp>
#include <sim/engine.hpp>
#include <sim/process/temporary_folder.hpp>

namespace devenv {

namespace {

constexpr std::size_t text_kept = 1 << 20;  // of the log and of standard output: their ends

void keep(std::string& all, std::string_view text) {
    all += text;
    if (all.size() > text_kept) all.erase(0, all.size() - text_kept);
}

// A line of the log is "TICKSx[DEVICE] text" with x = p for a panic, e for an error, i for information, d for
// debugging. 0: no line of the log.
char kind_of(std::string_view line) {
    const std::size_t kind = line.find_first_not_of("0123456789");
    return kind != line.npos && kind > 0 && line.substr(kind + 1, 1) == "[" ? line[kind] : '\0';
}

template <typename Wanted>
std::string lines_of(const std::string& text, Wanted&& wanted) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line(text.data() + at, end - at);
        if (wanted(line)) out += std::string(line) + "\n";
        at = end + 1;
    }
    return out;
}

std::string complaints(const std::string& log) {
    return lines_of(log, [](std::string_view line) { return kind_of(line) == 'p' || kind_of(line) == 'e'; });
}

// Until its log is open, Bochs tells standard error of every plugin it loads: twenty lines that hide what matters.
std::string without_information(const std::string& errors) {
    return lines_of(errors, [](std::string_view line) {
        return !line.empty() && !line.starts_with("Bochs connected to screen") && kind_of(line) != 'i' &&
               kind_of(line) != 'd';
    });
}

std::size_t count(std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++found;
    return found;
}

struct Watch {
    sim::ChildProcess* process = nullptr;
    std::string log, standard_output, version;
    std::size_t resets = 0;
    bool flooded = false;

    // The first reset is the power-on.
    bool reset() const { return resets > 1; }
    void on_log(std::string_view text) {
        // A line may come in two pieces: look from a little before the new text.
        constexpr std::string_view mark = "bx_pc_system_c::Reset(HARDWARE) called";
        const std::size_t tail = std::min(log.size(), mark.size() - 1);
        const std::string fresh = log.substr(log.size() - tail) + std::string(text);
        resets += count(fresh, mark);
        keep(log, text);
        if (reset()) process->ask_to_end();
    }
    void on_output(std::string_view text) {
        keep(standard_output, text);
        if (version.empty()) version = sim::bochs::version_in(standard_output);
    }
};

void judge(const sim::ChildResult& result, const Watch& watch, const GuestOptions& options, GuestRun& run) {
    const auto said = [&](std::string_view text) { return watch.standard_output.find(text) != std::string::npos; };
    const auto logged = [&](std::string_view text) { return watch.log.find(text) != std::string::npos; };
    run.status = result.status;
    run.errors = complaints(watch.log) + without_information(result.errors);
    if (judge_our_end(result, watch.flooded, options, run)) return;
    if (watch.reset() || logged("triple fault") || logged("3rd (")) {
        run.end = GuestEnd::reset;
        run.detail = reset_detail;
    } else if (said("exo-end: success")) {
        run.end = GuestEnd::power_off;
    } else if (said("exo-end: failure")) {
        run.end = GuestEnd::guest_failed;
        run.detail = "the guest ended the run and reports failure";
    } else if (logged("Shutdown port: shutdown requested") || logged("ACPI control: soft power off")) {
        run.end = GuestEnd::power_off;
        run.detail = "the guest powered off without saying whether all is well";
    } else if (result.signal != 0) {
        run.detail =
            "Bochs was killed by signal " + std::to_string(result.signal) + " (" + strsignal(result.signal) + ")";
    } else {
        run.detail = "Bochs ended with status " + std::to_string(result.status);
    }
}

sim::Descriptor open_fifo(const std::filesystem::path& path) {
    sim::Descriptor fifo(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fifo.open()) throw sim::ProcessError(path.string() + ": " + std::strerror(errno));
    return fifo;
}

}  // namespace

GuestRun run_in_bochs(const GuestOptions& options) {
    const sim::TemporaryFolder folder;
    sim::bochs::Configuration configuration{
        .cpus = options.cpus, .ram_bytes = options.ram_bytes, .image = "boot.iso", .folder = folder.path()};
    if (!options.cpu.empty()) configuration.cpu = options.cpu;
    sim::bochs::prepare(configuration);
    make_boot_iso(folder.path() / configuration.image, options);
    const sim::Descriptor serial = open_fifo(folder.path() / sim::bochs::serial_fifo);
    const sim::Descriptor log = open_fifo(folder.path() / sim::bochs::log_fifo);
    GuestRun run;
    run.engine = "bochs";
    run.command = sim::bochs::arguments();
    Watch watch;
    const auto on_serial = [&](std::string_view text) {
        const std::size_t room = options.console_bytes_most - run.console.size();
        if (text.size() > room) watch.flooded = true, watch.process->ask_to_end();
        text = text.substr(0, room);
        run.console += text;
        if (options.console && !text.empty()) options.console(text);
    };
    const auto start = std::chrono::steady_clock::now();
    sim::ChildProcess process(
        {.arguments = run.command,
         .folder = folder.path(),
         .environment = sim::bochs::environment(),
         .timeout_s = options.timeout_s,
         .stop = &stop_requested(),
         .on_output = [&](std::string_view text) { watch.on_output(text); },
         .also_read = {{serial.get(), on_serial}, {log.get(), [&](std::string_view text) { watch.on_log(text); }}}});
    watch.process = &process;
    const sim::ChildResult result = process.wait();
    run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    judge(result, watch, options, run);
    run.version = watch.version;
    if (run.version != sim::bochs::tried_version)
        run.warning =
            "Bochs " + (run.version.empty() ? "of an unknown version" : run.version) + ": only 2.7 has been tried";
    return run;
}

}  // namespace devenv
