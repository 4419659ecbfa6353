// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/board/memory.hpp>

#include <sys/mman.h>

#include <abi/boot.hpp>
#include <array>
#include <cstring>
#include <sim/board/acpi.hpp>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/image/image.hpp>

namespace sim {

namespace {
// Below 640 KiB, above what firmware uses on a PC. The kernel may reuse it all once it has read it.
constexpr std::uint64_t start_info_at = 0x6000;
constexpr std::uint64_t memory_map_at = 0x6100;
constexpr std::uint64_t command_line_at = 0x6200;
constexpr std::uint64_t command_line_end = 0x8000;
constexpr std::uint32_t memory_type_acpi = 3;                       // E820's number for memory that holds ACPI's tables
constexpr std::uint64_t low_end = 0x9f000, high_start = 0x10'0000;  // the hole of a PC: video memory and firmware

using ull = unsigned long long;

template <typename T>
void put(Memory& memory, std::uint64_t physical, const T& value) {
    std::memcpy(memory.data() + physical, &value, sizeof value);
}

void load_segments(Memory& memory, const Image& image) {
    for (const Segment& segment : image.segments()) {
        const std::uint64_t at = segment.physical_address;
        if (!memory.contains(at, segment.memory_bytes) || segment.bytes.size() > segment.memory_bytes)
            throw EngineError(
                text("%s: a segment of %llu bytes at physical address %#llx does not fit into %llu MiB of RAM; "
                     "link the kernel lower or give the board more memory",
                     image.name().c_str(), ull(segment.memory_bytes), ull(at), ull(memory.bytes() >> 20)));
        if (at < command_line_end && at + segment.memory_bytes > start_info_at)
            throw EngineError(
                text("%s: a segment at physical address %#llx covers %#llx-%#llx, where the board "
                     "puts the start information; link the kernel at 1 MiB or above",
                     image.name().c_str(), ull(at), ull(start_info_at), ull(command_line_end)));
        if (at < acpi_tables_end && at + segment.memory_bytes > acpi_tables_at)
            throw EngineError(text(
                "%s: a segment at physical address %#llx covers %#llx-%#llx, where the board puts its ACPI tables; "
                "link the kernel at 1 MiB or above",
                image.name().c_str(), ull(at), ull(acpi_tables_at), ull(acpi_tables_end)));
        if (!segment.bytes.empty()) std::memcpy(memory.data() + at, segment.bytes.data(), segment.bytes.size());
    }
}
}  // namespace

Memory::Memory(std::uint64_t bytes) : bytes_(bytes) {
    void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        throw EngineError(text("cannot map %llu MiB for the board's RAM: %s", ull(bytes >> 20), std::strerror(errno)));
    data_ = static_cast<std::uint8_t*>(mapping);
}

Memory::~Memory() { munmap(data_, bytes_); }

std::uint64_t load(Memory& memory, const Image& image, const std::string& command_line, unsigned cpus) {
    using namespace exo::abi;
    if (command_line.size() >= command_line_end - command_line_at)
        throw EngineError(text("the kernel's command line has %zu bytes; the board takes up to %llu",
                               command_line.size(), ull(command_line_end - command_line_at - 1)));
    load_segments(memory, image);
    const std::array map{StartInfoMemory{0, low_end, memory_type_ram, 0},
                         StartInfoMemory{acpi_tables_at, acpi_tables_end - acpi_tables_at, memory_type_acpi, 0},
                         StartInfoMemory{high_start, memory.bytes() - high_start, memory_type_ram, 0}};
    put(memory, memory_map_at, map);
    put(memory, start_info_at,
        StartInfo{.magic = start_info_magic,
                  .version = 1,
                  .command_line = command_line_at,
                  .rsdp = write_acpi_tables(memory, cpus),
                  .memory_map = memory_map_at,
                  .memory_map_entries = map.size()});
    std::memcpy(memory.data() + command_line_at, command_line.c_str(), command_line.size() + 1);
    return start_info_at;
}

}  // namespace sim
