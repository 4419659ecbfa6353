// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's command line, in one place: which machine, how it boots, and everything that keeps a run private and
// repeatable: no defaults, no user's configuration, no network, no display, no port of this machine.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sim::qemu {

enum class Machine : std::uint8_t {
    q35,
    pc,
    microvm  // no PCI, PIT, PIC or RTC: PVH only
};

enum class Boot : std::uint8_t {
    pvh,    // -kernel: the ELF file's PVH note
    qboot,  // the same by the smallest firmware
    bios,   // SeaBIOS, from an ISO
    uefi    // OVMF, from an ISO
};

// The CPU model of every run that names none. `max` has all that TCG can do (SMEP, SMAP, UMIP, 1 GiB pages), so the
// kernel's protections are on; `features=` on the guest's command line narrows it for comparisons with other engines.
inline constexpr std::string_view default_cpu = "max";

struct CommandLine {
    Machine machine = Machine::q35;
    Boot boot = Boot::pvh;
    std::string cpu{default_cpu};
    unsigned cpus = 1;
    std::uint64_t ram_bytes = 128ull << 20;  // whole MiB
    std::filesystem::path kernel;            // pvh, qboot: an ELF file
    std::string guest_command_line;          // pvh, qboot; an ISO brings its own
    std::filesystem::path initrd;            // pvh, qboot: a file for the kernel, or empty
    std::filesystem::path image;             // bios, uefi: an ISO
    std::filesystem::path variables;         // uefi: this run's own copy of uefi_variables, written to
    // The guest's clock is the number of retired instructions, 1 GHz, and starts at 2024-01-01: repeatable, and no
    // faster guest than its own timers. All CPUs then share one host thread, each running until it halts or pauses.
    bool instruction_clock = true;
    std::vector<std::string> extra;  // at the end: plugins
};

inline constexpr std::uint64_t instruction_clock_hz = 1'000'000'000;  // of the time stamp under instruction_clock
inline constexpr const char* uefi_code = "/usr/share/OVMF/OVMF_CODE_4M.fd";
inline constexpr const char* uefi_variables = "/usr/share/OVMF/OVMF_VARS_4M.fd";

// What isa-debug-exit makes of the guest's byte: QEMU's exit status is twice it, plus 1.
inline constexpr int exit_success = 33, exit_failure = 35;

struct Program {
    std::string path;     // for Child::arguments
    std::string version;  // "7.2.22"
    std::string warning;  // not empty: another version than the one this was tried with
};

// Looks on PATH and asks for the version. Throws EngineError: not there (with the package), or older than 7.0.
Program find_program();

// Standard output is the guest's first serial line. Throws EngineError for a firmware file that is missing,
// std::logic_error for a machine that cannot boot so.
std::vector<std::string> arguments(const CommandLine&, const Program&);

}  // namespace sim::qemu
