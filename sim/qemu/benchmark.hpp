// SPDX-License-Identifier: GPL-2.0-or-later
// What the QEMU engine's own work is measured against: the same QEMU with the same options alone, or with the plugin
// while its stream is thrown away. Not part of any simulation.
#pragma once
#include <filesystem>
#include <sim/engine.hpp>

namespace sim::qemu {

enum class RawLayer : std::uint8_t { bare, plugin };

// One run to the guest's end; its process has been waited for, so RUSAGE_CHILDREN holds its CPU time. Events, limit and
// console are not looked at. False: stopped from outside. Throws EngineError if the guest does not end with success.
bool run_raw(const RunConfig&, RawLayer, const std::filesystem::path& plugin);

}  // namespace sim::qemu
