// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/board/memory.hpp>

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <sim/board/acpi.hpp>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>

namespace sim {

namespace {
constexpr std::uint32_t memory_type_acpi = 3;                       // E820's number for memory that holds ACPI's tables
constexpr std::uint64_t low_end = 0x9f000, high_start = 0x10'0000;  // the hole of a PC: video memory and firmware
}  // namespace

Memory::Memory(std::uint64_t bytes) : bytes_(bytes) {
    void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        throw EngineError(text("cannot map %llu MiB for the board's RAM: %s",
                               static_cast<unsigned long long>(bytes >> 20), std::strerror(errno)));
    data_ = static_cast<std::uint8_t*>(mapping);
}

Memory::~Memory() { munmap(data_, bytes_); }

std::vector<exo::abi::StartInfoMemory> memory_map(const Memory& memory) {
    using exo::abi::memory_type_ram;
    return {{0, low_end, memory_type_ram, 0},
            {acpi_tables_at, acpi_tables_end - acpi_tables_at, memory_type_acpi, 0},
            {high_start, memory.bytes() - high_start, memory_type_ram, 0}};
}

}  // namespace sim
