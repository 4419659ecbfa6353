// SPDX-License-Identifier: GPL-2.0-or-later
// What a boot loader does: puts an image's segments into RAM, and beside them what the kernel is told, by one of three
// protocols (kernel/abi/boot.hpp says what ours makes of them).
//
// PVH: Xen, docs/misc/pvh.pandoc. Multiboot2: the specification 2.0. An image is someone else's: everything it says is
// checked, and what cannot be done is an ImageError that names the file, the cause and the next step.
#pragma once
#include <cstdint>
#include <sim/board/memory.hpp>
#include <sim/engine.hpp>
#include <string>

namespace sim {

struct KernelEntry {
    BootProtocol protocol;      // never `automatic`
    std::uint64_t address;      // physical
    std::uint64_t information;  // physical: a StartInfo (direct: in rdi, PVH: in ebx), or multiboot2's (in ebx)
    std::uint32_t magic = 0;    // multiboot2: in eax
};

// The ACPI tables are put into RAM too. Throws ImageError, and EngineError if the command line is too long.
KernelEntry load_kernel(Memory&, const RunConfig&);

}  // namespace sim
