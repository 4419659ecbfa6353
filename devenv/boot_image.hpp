// SPDX-License-Identifier: GPL-2.0-or-later
// Bootable images around one unchanged exo.elf: GRUB for BIOS and UEFI, a menu, the kernel. Same kernel and options,
// same bytes, wherever and whenever they are made.
//   ISO   El Torito for BIOS and UEFI, and a partition table: a CD, or written to a USB stick as it is
//   disk  63 MiB with an MBR: GRUB for BIOS before its one partition, which is FAT32 and a UEFI system partition
#pragma once
#include <filesystem>
#include <string>

namespace devenv {

struct BootImageOptions {
    std::filesystem::path kernel;
    std::string command_line;   // of the first menu entry
    bool menu = true;           // false: nothing but the kernel with its command line, at once, on a text screen if it
                                // can be; for emulators
    unsigned menu_seconds = 2;  // before the first entry starts by itself; 0: at once
    std::string screen = "text";  // BIOS: 80x25 text, "auto" or a mode such as 1024x768x32; UEFI: always graphics
    bool serial_menu = true;      // the menu on the serial line as well; without it the loader writes nothing there
};

// Creates `image`, or replaces it when the new one is complete: no part of one is ever left. Throws Failure: usage for
// a command line that GRUB would not hand over unchanged, a kernel that it cannot boot or a place that cannot be
// written, missing for tools (with the name of the package), difference for a full disk, interrupted for Ctrl-C.
void write_iso(const std::filesystem::path& image, const BootImageOptions&);
void write_disk(const std::filesystem::path& image, const BootImageOptions&);

}  // namespace devenv
