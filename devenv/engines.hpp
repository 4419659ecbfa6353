// SPDX-License-Identifier: GPL-2.0-or-later
// Engines by name, and whether one can do what is asked of it.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <sim/engine.hpp>
#include <string>

namespace devenv {

inline constexpr std::uint64_t ram_mib_most = 16384;  // of any engine
// With events all of a guest's RAM lies below the hole for devices, which ends at 4 GiB.
inline constexpr std::uint64_t simulated_ram_mib_most = 3072;

struct Scenario;

// "unicorn", "qemu" or "bochs". Throws sim::EngineError, Failure (missing) if the scenario needs what this engine
// cannot do: the message names both; Failure (usage) for a window that the image or the engine does not have.
std::unique_ptr<sim::Engine> make_engine(const std::string& name, const Scenario&, const sim::Image&);

// Writes an ISO that boots the image with this command line at once; its kernel.elf stays beside it. Throws Failure.
void write_iso_of(const sim::Image&, const std::filesystem::path& iso, const std::string& command_line);

}  // namespace devenv
