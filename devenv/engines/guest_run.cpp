// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstring>
#include <devenv/boot_image.hpp>
#include <devenv/engines/guest_run.hpp>
#include <devenv/environment.hpp>
#include <fstream>

namespace devenv {

const char* name(GuestEnd end) {
    switch (end) {
        case GuestEnd::power_off:
            return "power-off";
        case GuestEnd::guest_failed:
            return "guest-failed";
        case GuestEnd::reset:
            return "reset";
        case GuestEnd::time_limit:
            return "time-limit";
        case GuestEnd::console_limit:
            return "console-limit";
        case GuestEnd::interrupted:
            return "interrupted";
        case GuestEnd::engine_failed:
            return "engine-failed";
    }
    return "?";
}

Exit exit_for(GuestEnd end) {
    switch (end) {
        case GuestEnd::power_off:
            return Exit::done;
        case GuestEnd::guest_failed:
        case GuestEnd::reset:
            return Exit::guest_failed;
        case GuestEnd::time_limit:
        case GuestEnd::console_limit:
            return Exit::limit;
        case GuestEnd::interrupted:
            return Exit::interrupted;
        case GuestEnd::engine_failed:
            return Exit::missing;
    }
    return Exit::missing;
}

namespace {

// Multiboot2 3.1: the magic number, 8-byte aligned, in the first 32 KiB of the file.
bool has_multiboot2_header(const std::filesystem::path& kernel) {
    std::string start(32 * 1024, '\0');
    std::ifstream file(kernel, std::ios::binary);
    file.read(start.data(), static_cast<std::streamsize>(start.size()));
    for (std::size_t at = 0; at + 4 <= static_cast<std::size_t>(file.gcount()); at += 8) {
        std::uint32_t word;
        std::memcpy(&word, &start[at], sizeof word);
        if (word == 0xe85250d6) return true;
    }
    return false;
}

}  // namespace

void make_boot_iso(const std::filesystem::path& iso, const GuestOptions& options) {
    if (!std::filesystem::exists(options.kernel))
        throw Failure(Exit::usage, display(options.kernel) + ": no such file");
    if (!has_multiboot2_header(options.kernel)) {
        throw Failure(Exit::usage, display(options.kernel) +
                                       ": has no multiboot2 header, so GRUB cannot boot it; a kernel with a PVH note "
                                       "runs by --engine qemu --firmware pvh");
    }
    write_iso(iso, {.kernel = options.kernel, .command_line = options.command_line, .menu = false});
}

}  // namespace devenv
