// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/board/acpi.hpp>

#include <cstring>
#include <numeric>
#include <regs/acpi.hpp>
#include <regs/pc.hpp>
#include <sim/board/memory.hpp>
#include <sim/engine.hpp>

namespace sim {

namespace {
using namespace regs::acpi;

struct [[gnu::packed]] Rsdt {
    HeaderLayout header;
    std::uint32_t madt;
};
struct [[gnu::packed]] Xsdt {
    HeaderLayout header;
    std::uint64_t madt;
};
struct [[gnu::packed]] ProcessorLocalApic {
    std::uint8_t type, bytes, processor, apic_id;
    std::uint32_t flags;
};
struct [[gnu::packed]] MadtTable {
    HeaderLayout header;
    std::uint32_t local_apic, flags;
    ProcessorLocalApic processors[cpus_most];
};
constexpr std::uint32_t has_8259s = 1, enabled = 1;

// A byte that makes a table's bytes sum to zero.
std::uint8_t complement(const void* table, std::size_t bytes) {
    const auto* first = static_cast<const std::uint8_t*>(table);
    return std::uint8_t(-std::accumulate(first, first + bytes, 0u));
}

HeaderLayout header(const char* name, std::size_t bytes, std::uint8_t revision) {
    HeaderLayout h{};
    h.signature = signature(name);
    h.bytes = std::uint32_t(bytes);
    h.revision = revision;
    std::memcpy(h.oem, "EXO-OS", sizeof h.oem);
    std::memcpy(h.oem_table, "EXOBOARD", sizeof h.oem_table);
    h.oem_revision = h.creator_revision = 1;
    h.creator = signature("EXO ");
    return h;
}

template <typename Table>
std::uint64_t put(Memory& memory, std::uint64_t& at, Table table) {
    table.header.checksum = complement(&table, table.header.bytes);
    const std::uint64_t place = at;
    std::memcpy(memory.data() + place, &table, table.header.bytes);
    at = (place + table.header.bytes + 15) & ~15ull;
    return place;
}
}  // namespace

std::uint64_t write_acpi_tables(Memory& memory, unsigned cpus) {
    static_assert(acpi_tables_at + 0x80 + sizeof(Rsdt) + sizeof(Xsdt) + sizeof(MadtTable) < acpi_tables_end);
    std::uint64_t at = acpi_tables_at + 0x40;
    MadtTable madt{};
    madt.header = header("APIC", sizeof madt - (cpus_most - cpus) * sizeof(ProcessorLocalApic), 4);
    madt.local_apic = std::uint32_t(regs::lapic::default_base);
    madt.flags = has_8259s;  // a guest masks them before it uses the APIC, whether they are there or not
    for (unsigned i = 0; i < cpus; ++i)
        madt.processors[i] = {0, sizeof(ProcessorLocalApic), std::uint8_t(i), std::uint8_t(i), enabled};
    const std::uint64_t madt_at = put(memory, at, madt);
    const std::uint64_t rsdt_at = put(memory, at, Rsdt{header("RSDT", sizeof(Rsdt), 1), std::uint32_t(madt_at)});
    const std::uint64_t xsdt_at = put(memory, at, Xsdt{header("XSDT", sizeof(Xsdt), 1), madt_at});

    RsdpLayout rsdp{};
    std::memcpy(rsdp.name, "RSD PTR ", sizeof rsdp.name);
    std::memcpy(rsdp.oem, "EXO-OS", sizeof rsdp.oem);
    rsdp.revision = 2;
    rsdp.rsdt = std::uint32_t(rsdt_at);
    rsdp.bytes = sizeof rsdp;
    rsdp.xsdt = xsdt_at;
    rsdp.checksum = complement(&rsdp, rsdp_v0_bytes);
    rsdp.extended_checksum = complement(&rsdp, sizeof rsdp);
    std::memcpy(memory.data() + acpi_tables_at, &rsdp, sizeof rsdp);
    return acpi_tables_at;
}

}  // namespace sim
