// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev bench boot: how long it takes from power-on and from the kernel's entry to the end of boot, on every path,
// and for Debian's cloud kernel in the same QEMU.
#pragma once
#include <cstdint>
#include <devenv/exit_status.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace devenv {

struct BootBenchOptions {
    std::string kernel;          // default: the one just built
    std::string cpu = "qemu64";  // QEMU's model for our kernel and for Linux
    std::uint64_t runs = 3;      // for the wall time
    bool quick = false;          // one run; without the firmware that takes long when it is counted
    bool json = false;
};

struct BootRow {
    std::string path, configuration;
    // Instructions: ticks of a time stamp that counts them (and what a sleeping CPU waits for).
    std::optional<std::uint64_t> to_entry, to_end;  // from power-on to the kernel's entry; from there to the end
    std::vector<std::pair<std::string, std::uint64_t>> phases;  // of to_end
    std::optional<double> wall_s;                               // power-on to the first line after boot: the median
    std::uint64_t wall_runs = 0;
    std::string missing;  // why there are no figures, or not all
};

Exit boot_bench(const BootBenchOptions&);

// The value of "exo-result 1 NAME VALUE UNIT crc32c=X" with a right checksum.
std::optional<std::uint64_t> boot_result(std::string_view console, std::string_view name);

}  // namespace devenv
