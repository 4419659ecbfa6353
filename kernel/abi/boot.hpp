// SPDX-License-Identifier: MIT
// How an image is entered and what it is handed. Three doors lead to the same kernel:
//   direct      e_entry, 64-bit, rdi = physical address of a StartInfo. Flat physical addressing or identity-mapped
//               paging, interrupts off, no stack. What the Unicorn board uses.
//   PVH         the Xen note (type 18), 32-bit protected mode, ebx = physical address of a StartInfo.
//   multiboot2  its header's entry-address tag, 32-bit protected mode, ebx = its information structure.
// StartInfo is PVH's own hvm_start_info, version 1 (Xen: include/public/arch-x86/hvm/start_info.h), used for both.
#pragma once
#include <cstdint>

namespace exo::abi {

inline constexpr std::uint32_t start_info_magic = 0x336ec578;  // "xEn3" with the high bit of the E set

struct StartInfo {
    std::uint32_t magic;
    std::uint32_t version;  // 1: has the memory map
    std::uint32_t flags;
    std::uint32_t module_count;
    std::uint64_t module_list;   // physical
    std::uint64_t command_line;  // physical; zero-terminated
    std::uint64_t rsdp;          // physical; 0: none
    std::uint64_t memory_map;    // physical; StartInfoMemory[memory_map_entries]
    std::uint32_t memory_map_entries;
    std::uint32_t reserved;
};
static_assert(sizeof(StartInfo) == 56);

struct StartInfoMemory {
    std::uint64_t address;  // physical
    std::uint64_t bytes;
    std::uint32_t type;  // E820: 1 = RAM, 2 = reserved, 3 = ACPI reclaimable, ...
    std::uint32_t reserved;
};
static_assert(sizeof(StartInfoMemory) == 24);

inline constexpr std::uint32_t memory_type_ram = 1;

// Options on the kernel's command line: "scenario=NAME" (core/scenario.hpp), "end=WHAT" (core/ending.hpp), "seed=N",
// "features=a,b,...", "cpus=N", "results=1" (abi/result.hpp).

}  // namespace exo::abi
