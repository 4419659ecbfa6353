// SPDX-License-Identifier: GPL-2.0-or-later
// Bochs's configuration file and command line. Everything a run reads or writes lies in its own folder; the serial line
// and the log are FIFOs there, read as they come. Debian's Bochs always has its debugger, so a file of commands is
// part of it; one tick is one instruction.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sim::bochs {

// The richest model that its BIOS boots: x2APIC, TSC deadline, AVX-512.
inline constexpr std::string_view default_cpu = "corei7_skylake_x";
// Of the time stamp: ticks a second of the guest's clock.
inline constexpr std::uint64_t ticks_per_second = 100'000'000;
inline constexpr std::string_view tried_version = "2.7";

struct Configuration {
    std::string cpu{default_cpu};
    unsigned cpus = 1;
    std::uint64_t ram_bytes = 128ull << 20;  // whole MiB
    std::filesystem::path image;             // an ISO
    std::filesystem::path folder;            // the run's own: FIFOs, configuration and commands are put there
    // For the debugger; an error in them ends the run. Nothing: they come through a FIFO, commands_file.
    std::optional<std::string> commands = "c\n";
    bool debug_port = true;  // what the guest writes to port 0xe9 goes to standard output
};

inline constexpr const char* serial_fifo = "serial";
inline constexpr const char* log_fifo = "log";
inline constexpr const char* commands_file = "commands";

// Writes the files, makes the FIFOs. Throws ProcessError when the folder cannot take them, EngineError when a file of
// Bochs is missing or it has no such CPU.
void prepare(const Configuration&);

// To be run in Configuration::folder, with environment().
std::vector<std::string> arguments();
std::vector<std::pair<std::string, std::string>> environment();

// What the engine said about itself at its start ("2.7"), or empty.
std::string version_in(std::string_view standard_output);

}  // namespace sim::bochs
