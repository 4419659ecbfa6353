// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU tells how the guest ended by its exit status (isa-debug-exit), and, where that is 0, by an event of its control
// protocol: a reset and a power-off look the same from outside. The protocol runs over a socket it inherits.
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>
#include <devenv/signals.hpp>
#include <sim/engine.hpp>
#include <sim/process/temporary_folder.hpp>

namespace devenv {

namespace {

namespace fs = std::filesystem;

// Both ends of the control socket; the greeting of ours is in it before QEMU starts.
struct Control {
    sim::Descriptor ours, theirs;
    std::string events;

    Control() {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw sim::ProcessError(std::string("no socket for QEMU's control protocol: ") + std::strerror(errno));
        ours = sim::Descriptor(ends[0]);
        theirs = sim::Descriptor(ends[1]);
        constexpr std::string_view hello = "{\"execute\":\"qmp_capabilities\"}\n";
        if (write(ours.get(), hello.data(), hello.size()) < 0) throw sim::ProcessError("QEMU's control socket is full");
    }
    std::vector<std::string> arguments() const {
        return {"-chardev", "socket,id=control,fd=" + std::to_string(theirs.get()), "-mon",
                "chardev=control,mode=control"};
    }
    bool started() const { return events.find("\"return\"") != std::string::npos; }
    bool reset() const { return events.find("\"guest-reset\"") != std::string::npos; }
    bool shut_down() const { return events.find("\"guest-shutdown\"") != std::string::npos; }
};

sim::qemu::CommandLine command_line(const GuestOptions& options, const fs::path& folder) {
    using sim::qemu::Boot;
    sim::qemu::CommandLine line{.machine = options.machine,
                                .boot = options.boot,
                                .cpus = options.cpus,
                                .ram_bytes = options.ram_bytes,
                                .kernel = options.kernel,
                                .guest_command_line = options.command_line,
                                .initrd = options.initrd,
                                .image = folder / "boot.iso",
                                .variables = folder / "variables.fd",
                                .instruction_clock = options.instruction_clock};
    if (!options.cpu.empty()) line.cpu = options.cpu;
    if (options.boot == Boot::bios || options.boot == Boot::uefi) make_boot_iso(line.image, options);
    if (options.boot == Boot::uefi) {
        std::error_code failed;
        fs::copy_file(sim::qemu::uefi_variables, line.variables, failed);
        if (failed && !fs::exists(sim::qemu::uefi_variables))
            throw sim::EngineError(std::string(sim::qemu::uefi_variables) + ": not there; install the package ovmf");
        if (failed) throw sim::ProcessError(line.variables.string() + ": cannot be written: " + failed.message());
    }
    return line;
}

void judge_status(const sim::ChildResult& result, const Control& control, GuestRun& run) {
    const std::string status = std::to_string(result.status);
    if (result.status == sim::qemu::exit_success) {
        run.end = GuestEnd::power_off;
    } else if (result.status == sim::qemu::exit_failure) {
        run.end = GuestEnd::guest_failed;
        run.detail = "the guest ended the run and reports failure";
    } else if (result.status == 0 && control.reset()) {
        run.end = GuestEnd::reset;
        run.detail = reset_detail;
    } else if (result.status == 0 && control.shut_down()) {
        run.end = GuestEnd::power_off;
    } else if (result.status % 2 == 1 && control.started()) {
        run.end = GuestEnd::guest_failed;
        run.detail = "the guest ended the run with code " + std::to_string(result.status / 2) + " (QEMU's status " +
                     status + "); 16 is success, 17 failure";
    } else {
        run.detail = "QEMU ended with status " + status + (control.started() ? "" : " before the guest ran");
    }
}

// QEMU tells by whose signal it ends. Where exo-dev ended it, that is no news.
std::string without_our_signal(std::string errors) {
    const std::size_t said = errors.find(": terminating on signal ");
    if (said == errors.npos) return errors;
    const std::size_t before = errors.rfind('\n', said);
    const std::size_t start = before == errors.npos ? 0 : before + 1;
    const std::size_t end = errors.find('\n', said);
    return errors.erase(start, end == errors.npos ? end : end + 1 - start);
}

void judge(const sim::ChildResult& result, const Control& control, const GuestOptions& options, GuestRun& run) {
    run.status = result.status;
    if (judge_our_end(result, result.flooded, options, run)) {
        run.errors = without_our_signal(result.errors);
        return;
    }
    run.errors = result.errors;
    if (result.signal != 0) {
        run.detail = std::string("QEMU was killed by signal ") + std::to_string(result.signal) + " (" +
                     strsignal(result.signal) + ")";
    } else {
        judge_status(result, control, run);
    }
}

}  // namespace

GuestRun run_in_qemu(const GuestOptions& options) {
    GuestRun run;
    run.engine = "qemu";
    const sim::qemu::Program program = sim::qemu::find_program();
    run.version = program.version;
    run.warning = program.warning;
    const sim::TemporaryFolder folder;
    Control control;
    sim::qemu::CommandLine line = command_line(options, folder.path());
    line.extra = control.arguments();
    run.command = sim::qemu::arguments(line, program);
    const auto start = std::chrono::steady_clock::now();
    sim::ChildProcess process({.arguments = run.command,
                               .folder = {},
                               .timeout_s = options.timeout_s,
                               .stop = &stop_requested(),
                               .on_output =
                                   [&](std::string_view text) {
                                       run.console += text;
                                       if (options.console) options.console(text);
                                   },
                               .output_limit = options.console_bytes_most,
                               .inherit = {control.theirs.get()},
                               .also_read = {{control.ours.get(), [&](std::string_view text) {
                                                  if (control.events.size() < 65536) control.events += text;
                                              }}}});
    control.theirs.close();
    const sim::ChildResult result = process.wait();
    run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    judge(result, control, options, run);
    return run;
}

}  // namespace devenv
