// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel in an engine that is a process of its own: what it is asked, how it ended. Each run has a folder of its
// own, opens no port, and leaves nothing behind.
#pragma once
#include <cstdint>
#include <devenv/exit_status.hpp>
#include <devenv/simulate.hpp>
#include <filesystem>
#include <functional>
#include <optional>
#include <sim/process/child.hpp>
#include <sim/qemu/command_line.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

struct GuestOptions {
    std::filesystem::path kernel;
    std::string command_line;
    std::string cpu;  // the engine's name of a model
    unsigned cpus = 1;
    std::uint64_t ram_bytes = 128ull << 20;
    std::optional<double> timeout_s;
    std::uint64_t console_bytes_most = default_console_kib << 10;
    std::function<void(std::string_view)> console;  // as it comes; may be empty
    // QEMU's
    sim::qemu::Machine machine = sim::qemu::Machine::q35;
    sim::qemu::Boot boot = sim::qemu::Boot::pvh;
    bool instruction_clock = true;
    std::filesystem::path initrd;  // pvh only
};

enum class GuestEnd : std::uint8_t {
    power_off,     // the guest says that all is well, or just powers off
    guest_failed,  // the guest says so, or ends with a status that means nothing to us
    reset,         // triple fault, reset port, or its own wish
    time_limit,
    console_limit,
    interrupted,
    engine_failed  // the engine did not start, died, or gave up
};
const char* name(GuestEnd);  // "power-off", "guest-failed", ...
Exit exit_for(GuestEnd);

struct GuestRun {
    GuestEnd end = GuestEnd::engine_failed;
    std::string detail;  // what to tell about the end; empty after a plain power-off
    std::string engine, version, warning;
    std::vector<std::string> command;  // the engine's arguments
    int status = 0;                    // the engine's own
    std::string console;               // all of it, bytes as they came
    std::string errors;                // what the engine complained about
    double wall_s = 0;
};

// Of ends that are alike in all engines: those that exo-dev brought about (false: it was none), and a reset's detail.
bool judge_our_end(const sim::ChildResult&, bool flooded, const GuestOptions&, GuestRun&);
inline constexpr const char* reset_detail =
    "the guest reset the machine (a triple fault, or its own wish); a run ends at the first reset";

// Throw Failure, sim::EngineError and sim::ProcessError when the run cannot be started.
GuestRun run_in_qemu(const GuestOptions&);
GuestRun run_in_bochs(const GuestOptions&);

// For engines that boot from a CD: an ISO with the kernel and its command line and no menu. Throws Failure for a kernel
// without a multiboot2 header.
void make_boot_iso(const std::filesystem::path& iso, const GuestOptions&);

}  // namespace devenv
