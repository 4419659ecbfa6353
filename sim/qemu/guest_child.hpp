// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU as a child that runs a kernel image from its PVH entry, with the plugin's stream or without.
#pragma once
#include <filesystem>
#include <sim/engine.hpp>
#include <sim/process/child.hpp>
#include <sim/qemu/command_line.hpp>
#include <sim/qemu/stream_reader.hpp>

namespace sim::qemu {

// Writes the image into `folder`, which must outlive the child. Throws EngineError: no PVH note, or the file cannot be
// written. The console is dropped until on_output is set.
Child guest_child(const Program&, const RunConfig&, const std::filesystem::path& folder);
// Adds the plugin, which writes to `reader`.
void add_stream(Child&, const std::filesystem::path& plugin, const StreamReader& reader, const Image&);

}  // namespace sim::qemu
