// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU tells how the guest ended by its exit status (isa-debug-exit), and, where that is 0, by its control protocol.
#include <chrono>
#include <csignal>
#include <cstring>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>
#include <devenv/signals.hpp>
#include <sim/engine.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sim/qemu/control.hpp>

namespace devenv {

namespace {

namespace fs = std::filesystem;

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

void judge_status(const sim::ChildResult& result, const sim::qemu::Control& control, GuestRun& run) {
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

void judge(const sim::ChildResult& result, const sim::qemu::Control& control, const GuestOptions& options,
           GuestRun& run) {
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
    sim::qemu::Control control;
    sim::qemu::CommandLine line = command_line(options, folder.path());
    line.extra = control.arguments();
    run.command = sim::qemu::arguments(line, program);
    const auto start = std::chrono::steady_clock::now();
    sim::Child child{.arguments = run.command,
                     .folder = {},
                     .timeout_s = options.timeout_s,
                     .stop = &stop_requested(),
                     .on_output =
                         [&](std::string_view text) {
                             run.console += text;
                             if (options.console) options.console(text);
                         },
                     .output_limit = options.console_bytes_most};
    control.listen(child);
    sim::ChildProcess process(std::move(child));
    control.child_started();
    const sim::ChildResult result = process.wait();
    run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    judge(result, control, options, run);
    return run;
}

}  // namespace devenv
