// SPDX-License-Identifier: MIT
// The part of the Multiboot2 information structure that the kernel reads (Multiboot2 specification 2.0, 3.6).
#pragma once
#include <cstddef>
#include <cstdint>

namespace hal::multiboot2 {

struct Information {
    std::uint32_t total_bytes, reserved;  // tags follow, each aligned to 8
};
struct Tag {
    std::uint32_t type, bytes;  // bytes: header included, padding not
};
inline constexpr std::uint32_t tag_end = 0, tag_command_line = 1, tag_memory_map = 6, tag_framebuffer = 8,
                               tag_acpi_old = 14,
                               tag_acpi_new = 15;  // a copy of the RSDP follows

struct MemoryMapTag {
    Tag tag;
    std::uint32_t entry_bytes, entry_version;  // entries follow
};
struct MemoryMapEntry {
    std::uint64_t base, length;
    std::uint32_t type, reserved;  // 1: RAM
};
struct FramebufferTag {
    Tag tag;
    std::uint64_t address;  // physical
    std::uint32_t pitch;    // bytes a line
    std::uint32_t width, height;
    std::uint8_t bits_per_pixel, type;  // framebuffer_*
    std::uint16_t reserved;
    struct {
        std::uint8_t position, bits;
    } red, green, blue;  // framebuffer_rgb only
};
inline constexpr std::uint8_t framebuffer_rgb = 1, framebuffer_text = 2;
inline constexpr std::uint32_t framebuffer_text_bytes = 32;  // of the tag, without colours
static_assert(sizeof(FramebufferTag) == 40 && offsetof(FramebufferTag, red) == framebuffer_text_bytes);
static_assert(sizeof(Information) == 8 && sizeof(Tag) == 8 && sizeof(MemoryMapTag) == 16);
static_assert(sizeof(MemoryMapEntry) == 24);

}  // namespace hal::multiboot2
