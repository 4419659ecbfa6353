// SPDX-License-Identifier: MIT
// What the backend hands to kernel_main, whichever way the machine was started.
#pragma once
#include <hal/types.hpp>
#include <span>
#include <string_view>

namespace hal {

enum class BootPath : std::uint8_t { direct, pvh, multiboot2, host };

struct BootInfo {
    BootPath path;
    std::span<const MemoryRange> memory;  // RAM free for the kernel's use: page-aligned, ascending, without the image
    std::string_view command_line;        // not zero-terminated; lives for ever
    PhysAddr acpi_root;                   // of the RSDP, as the loader told; 0: none
    std::uint64_t entry_cycles;           // cycles() at the first instruction of the image that could read it
};

}  // namespace hal
