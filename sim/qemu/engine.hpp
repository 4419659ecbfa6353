// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU as an engine: a process of its own whose stream of events is read here, on another core.
#pragma once
#include <filesystem>
#include <memory>
#include <sim/engine.hpp>

namespace sim {

// `plugin`: exo-qemu-plugin.so. Throws EngineError: QEMU or the plugin is not there.
std::unique_ptr<Engine> make_qemu_engine(const std::filesystem::path& plugin);

}  // namespace sim
