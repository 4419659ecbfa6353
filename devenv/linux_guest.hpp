// SPDX-License-Identifier: GPL-2.0-or-later
// The Linux that boot times are compared with: Debian's cloud kernel from its package, not installed, and an initramfs
// that holds nothing but bench/peers/linux_init.S as /init. Kept in a cache folder, assembled once a kernel version.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace devenv {

struct LinuxGuest {
    std::filesystem::path kernel;       // bzImage
    std::filesystem::path initramfs;    // newc archive, not compressed
    std::filesystem::path entry_probe;  // a bzImage of ours that only reports when it is entered: same -kernel path
    std::string version;                // of the kernel, as its package names it: "6.1.0-56-cloud-amd64"
};

// `cache`: build/linux-guest. Downloads 27 MB with apt-get the first time; writes about 9 MB. Throws Failure: no
// apt-get or dpkg-deb, no such package, no network (missing); the folder cannot be written (usage); Ctrl-C
// (interrupted).
LinuxGuest assemble_linux_guest(const std::filesystem::path& cache);

// What the guests report on the console: the time stamp at /init's first instruction, or at the probe's.
std::optional<std::uint64_t> linux_init_tsc(std::string_view console);
std::optional<std::uint64_t> linux_entry_tsc(std::string_view console);

// One file of a newc archive (Linux: Documentation/driver-api/early-userspace/buffer-format.rst), and the archive's
// end.
std::string newc_entry(std::string_view name, std::uint32_t mode, std::string_view content);
std::string newc_end();

}  // namespace devenv
