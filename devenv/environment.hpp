// SPDX-License-Identifier: GPL-2.0-or-later
// Where things are. The launcher says it in EXO_DEV_ROOT and EXO_DEV_BUILD; without it, the place of this executable
// (<root>/build/<preset>/devenv/exo-dev) tells the same.
#pragma once
#include <filesystem>
#include <string>

namespace devenv {

struct Environment {
    std::filesystem::path root;   // the source tree
    std::filesystem::path build;  // the build folder of the preset in use

    std::filesystem::path kernel() const { return build / "kernel" / "exo.elf"; }
    std::filesystem::path host() const { return build / "kernel" / "exo-host"; }
    std::filesystem::path qemu_plugin() const { return build / "sim" / "qemu" / "plugin" / "exo-qemu-plugin.so"; }
    std::filesystem::path native_benchmark() const { return build / "bench" / "exo-bench-native"; }
    std::filesystem::path native_measurement() const { return build / "bench" / "exo-measure"; }
    std::filesystem::path trace() const { return root / "build" / "sim.trace"; }
    std::filesystem::path diff_cache() const { return root / "build" / "diff"; }
};

Environment environment();

// The path as the user would type it from here: relative if that is shorter.
std::string display(const std::filesystem::path&);

}  // namespace devenv
