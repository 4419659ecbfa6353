// SPDX-License-Identifier: GPL-2.0-or-later
// The board's ACPI tables: RSDP, RSDT, XSDT and a MADT with its CPUs, by which a guest finds them as on a PC. There is
// no FADT: the board's power is switched by its ports, and a guest that looks for ACPI's way finds none.
#pragma once
#include <cstdint>

namespace sim {

class Memory;

// In the firmware area below 1 MiB, which is RAM to nobody: reserved in the memory map.
inline constexpr std::uint64_t acpi_tables_at = 0xe'0000, acpi_tables_end = 0xe'1000;

// Writes the tables and returns the physical address of the RSDP. APIC ids are 0 .. cpus - 1, CPU 0 is the boot CPU.
std::uint64_t write_acpi_tables(Memory&, unsigned cpus);

}  // namespace sim
