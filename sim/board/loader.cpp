// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>

#include <sim/board/loader.hpp>

#include <abi/boot.hpp>
#include <algorithm>
#include <array>
#include <cstring>
#include <sim/board/acpi.hpp>
#include <sim/board/multiboot2.hpp>
#include <sim/board/text.hpp>
#include <sim/image/image.hpp>

namespace sim {

namespace {

using Bytes = std::span<const std::uint8_t>;
using MemoryMap = std::vector<exo::abi::StartInfoMemory>;
using ull = unsigned long long;

// Below 640 KiB, above what firmware uses on a PC. The kernel may reuse it all once it has read it.
constexpr std::uint64_t information_least = 0x6000, information_end = 0xa0000, page = 4096;
constexpr std::uint64_t command_line_most = 7679;  // characters
constexpr std::uint64_t below_4g = 1ull << 32;

const char* name_of(BootProtocol protocol) {
    switch (protocol) {
        case BootProtocol::automatic:
            return "auto";
        case BootProtocol::direct:
            return "direct";
        case BootProtocol::pvh:
            return "pvh";
        case BootProtocol::multiboot2:
            return "multiboot2";
    }
    return "?";
}

struct Plan {
    BootProtocol protocol;
    std::uint64_t entry = 0;
    std::vector<Segment> segments;
};

[[noreturn]] void refuse(const Image& image, const std::string& text) { throw ImageError(image.name() + ": " + text); }

BootProtocol choose(const Image& image, BootProtocol wanted) {
    if (wanted != BootProtocol::automatic) return wanted;
    if (!image.marks().empty()) return BootProtocol::direct;
    if (image.pvh_entry()) return BootProtocol::pvh;
    if (multiboot2::find_header(image)) return BootProtocol::multiboot2;
    if (image.bytes()[EI_CLASS] == ELFCLASS64) return BootProtocol::direct;  // the board's own protocol needs no header
    refuse(image,
           "there is neither a PVH note nor a multiboot2 header in it, and only 64-bit images need none; "
           "give it one of them");
}

Plan make_plan(const Image& image, BootProtocol wanted) {
    Plan plan{.protocol = choose(image, wanted)};
    plan.segments.assign(image.segments().begin(), image.segments().end());
    plan.entry = image.entry_physical();
    if (plan.protocol == BootProtocol::pvh) {
        if (!image.pvh_entry())
            refuse(image,
                   "there is no PVH note in it (name Xen, type 18), so it has no such entry; choose another "
                   "--entry");
        plan.entry = *image.pvh_entry();
    } else if (plan.protocol == BootProtocol::multiboot2) {
        const auto header = multiboot2::find_header(image);
        if (!header)
            refuse(image,
                   "there is no multiboot2 header in the first 32 KiB of the file, so it has no such entry; "
                   "choose another --entry");
        if (!header->segments.empty()) plan.segments = header->segments;
        if (header->entry) plan.entry = *header->entry;
    }
    return plan;
}

bool overlaps(const Segment& segment, std::uint64_t start, std::uint64_t end) {
    return segment.physical_address < end && segment.physical_address + segment.memory_bytes > start;
}

void check(const Image& image, const Plan& plan, const Memory& memory) {
    bool entry_found = false;
    for (const Segment& segment : plan.segments) {
        const std::uint64_t at = segment.physical_address;
        if (!memory.contains(at, segment.memory_bytes) || segment.bytes.size() > segment.memory_bytes)
            refuse(image, text("a segment of %llu bytes at physical address %#llx does not fit into %llu MiB of RAM; "
                               "link the kernel lower or give the board more memory with --ram",
                               ull(segment.memory_bytes), ull(at), ull(memory.bytes() >> 20)));
        if (overlaps(segment, acpi_tables_at, acpi_tables_end))
            refuse(image, text("a segment at physical address %#llx covers %#llx-%#llx, where the board puts its ACPI "
                               "tables; link the kernel at 1 MiB or above",
                               ull(at), ull(acpi_tables_at), ull(acpi_tables_end)));
        entry_found |= plan.entry - at < segment.bytes.size();
    }
    if (entry_found) return;
    const std::string entry =
        plan.entry == Image::no_entry
            ? "the ELF entry is in no segment"
            : text("its entry %#llx (%s) is outside of what the file loads", ull(plan.entry), name_of(plan.protocol));
    refuse(image, entry + "; check the entry and the linker script, or choose another --entry");
}

// A place for what the kernel is told: RAM below 640 KiB that no segment covers.
std::uint64_t find_room(const Image& image, const Plan& plan, const MemoryMap& map, std::uint64_t bytes) {
    for (const auto& range : map) {
        if (range.type != exo::abi::memory_type_ram) continue;
        const std::uint64_t end = std::min(range.address + range.bytes, information_end);
        for (std::uint64_t at = std::max(range.address, information_least); at + bytes <= end; at += page) {
            const auto taken = [&](const Segment& it) { return overlaps(it, at, at + bytes); };
            if (std::ranges::none_of(plan.segments, taken)) return at;
        }
    }
    refuse(image, text("its segments leave no room below 640 KiB, where the board puts %llu bytes of boot information; "
                       "link the kernel at 1 MiB or above",
                       ull(bytes)));
}

Bytes rsdp_bytes(const Memory& memory, std::uint64_t rsdp) {
    constexpr std::size_t old_bytes = 20, new_bytes = 36, revision = 15;  // ACPI 5.2.5.3
    if (!rsdp || !memory.contains(rsdp, new_bytes)) return {};
    return {memory.data() + rsdp, memory.data()[rsdp + revision] >= 2 ? new_bytes : old_bytes};
}

// A StartInfo with its memory map and command line behind it, as it is at physical address `at`.
std::vector<std::uint8_t> start_info(const MemoryMap& map, const std::string& command_line, std::uint64_t rsdp,
                                     std::uint64_t at) {
    using namespace exo::abi;
    constexpr std::uint64_t map_offset = 0x100;
    const std::uint64_t text_offset = (map_offset + map.size() * sizeof map[0] + 0xff) & ~0xffull;
    const StartInfo info{.magic = start_info_magic,
                         .version = 1,
                         .command_line = at + text_offset,
                         .rsdp = rsdp,
                         .memory_map = at + map_offset,
                         .memory_map_entries = std::uint32_t(map.size())};
    std::vector<std::uint8_t> bytes(text_offset + command_line.size() + 1);
    std::memcpy(bytes.data(), &info, sizeof info);
    std::memcpy(bytes.data() + map_offset, map.data(), map.size() * sizeof map[0]);
    std::memcpy(bytes.data() + text_offset, command_line.c_str(), command_line.size() + 1);
    return bytes;
}

}  // namespace

KernelEntry load_kernel(Memory& memory, const RunConfig& config) {
    const Image& image = *config.image;
    if (config.command_line.size() > command_line_most)
        throw EngineError(text("the kernel's command line has %zu bytes; the board takes up to %llu",
                               config.command_line.size(), ull(command_line_most)));
    const Plan plan = make_plan(image, config.entry);
    check(image, plan, memory);
    if (plan.protocol != BootProtocol::direct && plan.entry >= below_4g)
        refuse(image, text("its entry %#llx is not below 4 GiB, where 32-bit code is", ull(plan.entry)));
    for (const Segment& segment : plan.segments)
        if (!segment.bytes.empty())
            std::memcpy(memory.data() + segment.physical_address, segment.bytes.data(), segment.bytes.size());

    const std::uint64_t rsdp = write_acpi_tables(memory, config.cpus);
    const MemoryMap map = memory_map(memory);
    KernelEntry entry{.protocol = plan.protocol, .address = plan.entry, .information = 0};
    std::vector<std::uint8_t> bytes;
    if (plan.protocol == BootProtocol::multiboot2) {
        bytes = multiboot2::information(image, {config.command_line, map, rsdp_bytes(memory, rsdp)});
        entry.information = find_room(image, plan, map, bytes.size());
        entry.magic = multiboot2::loader_magic;
    } else {
        const std::size_t size = start_info(map, config.command_line, rsdp, 0).size();
        entry.information = find_room(image, plan, map, size);
        bytes = start_info(map, config.command_line, rsdp, entry.information);
    }
    std::memcpy(memory.data() + entry.information, bytes.data(), bytes.size());
    return entry;
}

}  // namespace sim
