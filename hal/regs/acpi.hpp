// SPDX-License-Identifier: MIT
// ACPI's static tables, as far as a kernel without an AML interpreter needs them: the way from the RSDP to a table, the
// FADT's ports, and the MADT's processors and interrupt controllers (ACPI 6.5, 5.2.5 to 5.2.12). Freestanding; nothing
// is allocated.
//
// Memory:  bool read(std::uint64_t physical, void* to, std::size_t bytes)   copies physical memory; false if a byte of
//                                                                           it cannot be read
//
// Firmware is not trusted to be sane: every length is checked against what encloses it before it is used, counts and
// sizes have limits, and nothing follows a chain. Whatever the bytes are, a reader sees at most root_entries_max
// headers and damaged_max + 1 tables of table_bytes_max, and asks for nothing outside the tables.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace regs::acpi {

template <typename M>
concept PhysicalMemory = requires(M& memory, std::uint64_t physical, void* to, std::size_t bytes) {
    { memory.read(physical, to, bytes) } -> std::same_as<bool>;
};

inline constexpr std::uint32_t table_bytes_max = 4u << 20;  // the largest DSDTs of servers stay below 1 MiB
inline constexpr unsigned root_entries_max = 256;
inline constexpr unsigned damaged_max = 4;  // tables of the right name and a wrong checksum, before a search ends

// "APIC" as the four bytes of a table's header.
constexpr std::uint32_t signature(std::string_view name) {
    std::uint32_t value = 0;
    for (unsigned i = 4; i-- > 0;) value = value << 8 | std::uint8_t(name[i]);
    return value;
}

struct [[gnu::packed]] RsdpLayout {
    char name[8];
    std::uint8_t checksum;  // of the first 20 bytes
    char oem[6];
    std::uint8_t revision;
    std::uint32_t rsdt;
    // revision 2 on
    std::uint32_t bytes;
    std::uint64_t xsdt;
    std::uint8_t extended_checksum;  // of all bytes
    std::uint8_t reserved[3];
};
inline constexpr std::size_t rsdp_v0_bytes = 20;
inline constexpr std::uint32_t rsdp_bytes_max = 4096;
static_assert(sizeof(RsdpLayout) == 36 && offsetof(RsdpLayout, bytes) == rsdp_v0_bytes);

struct [[gnu::packed]] HeaderLayout {
    std::uint32_t signature;
    std::uint32_t bytes;  // header included
    std::uint8_t revision, checksum;
    char oem[6], oem_table[8];
    std::uint32_t oem_revision, creator, creator_revision;
};
static_assert(sizeof(HeaderLayout) == 36);

// A table whose header is plausible and whose bytes sum to zero.
struct Table {
    std::uint64_t physical = 0;
    std::uint32_t bytes = 0;  // header included, at most table_bytes_max
    std::uint8_t revision = 0;
};

// The sum of `bytes` bytes modulo 256, or nothing where they cannot be read.
template <PhysicalMemory M>
std::optional<std::uint8_t> byte_sum(M& memory, std::uint64_t physical, std::uint32_t bytes) {
    std::uint8_t sum = 0, piece[64];
    while (bytes) {
        const std::uint32_t now = bytes < sizeof piece ? bytes : std::uint32_t(sizeof piece);
        if (!memory.read(physical, piece, now)) return {};
        for (std::uint32_t i = 0; i < now; ++i) sum = std::uint8_t(sum + piece[i]);
        physical += now;
        bytes -= now;
    }
    return sum;
}

// A field of a table: false, and `value` unchanged, if the table ends before the field does.
template <PhysicalMemory M, typename T>
bool read_field(M& memory, const Table& table, std::uint32_t offset, T& value) {
    if (offset > table.bytes || sizeof(T) > table.bytes - offset) return false;
    T read;
    if (!memory.read(table.physical + offset, &read, sizeof read)) return false;
    value = read;
    return true;
}

enum class TableEnd : std::uint8_t { found, other_name, damaged };

// The table at an address that another table gave, if it has that name.
template <PhysicalMemory M>
TableEnd table_at(M& memory, std::uint64_t physical, std::uint32_t name, Table& out) {
    HeaderLayout header;
    if (physical == 0 || physical > ~std::uint64_t{0} - table_bytes_max) return TableEnd::damaged;
    if (!memory.read(physical, &header, sizeof header)) return TableEnd::damaged;
    if (header.signature != name) return TableEnd::other_name;
    const std::uint32_t bytes = header.bytes;
    if (bytes < sizeof header || bytes > table_bytes_max) return TableEnd::damaged;
    const auto sum = byte_sum(memory, physical, bytes);
    if (!sum || *sum != 0) return TableEnd::damaged;
    out = {physical, bytes, header.revision};
    return TableEnd::found;
}

// The RSDT or XSDT.
struct Root {
    Table table;
    unsigned entry_bytes = 0;  // 4 or 8
};

// From the RSDP: the XSDT where revision and both checksums allow, else the RSDT.
template <PhysicalMemory M>
std::optional<Root> read_root(M& memory, std::uint64_t rsdp_physical) {
    RsdpLayout rsdp{};
    if (rsdp_physical == 0 || rsdp_physical > ~std::uint64_t{0} - rsdp_bytes_max) return {};
    if (!memory.read(rsdp_physical, &rsdp, rsdp_v0_bytes)) return {};
    if (std::string_view(rsdp.name, sizeof rsdp.name) != "RSD PTR ") return {};
    if (byte_sum(memory, rsdp_physical, rsdp_v0_bytes) != std::uint8_t{0}) return {};
    Root root;
    if (rsdp.revision >= 2 && memory.read(rsdp_physical, &rsdp, sizeof rsdp) && rsdp.xsdt != 0 &&
        rsdp.bytes >= sizeof rsdp && rsdp.bytes <= rsdp_bytes_max &&
        byte_sum(memory, rsdp_physical, rsdp.bytes) == std::uint8_t{0} &&
        table_at(memory, rsdp.xsdt, signature("XSDT"), root.table) == TableEnd::found) {
        root.entry_bytes = 8;
        return root;
    }
    if (table_at(memory, rsdp.rsdt, signature("RSDT"), root.table) != TableEnd::found) return {};
    root.entry_bytes = 4;
    return root;
}

// The first intact table of that name ("FACP", "APIC", ...).
template <PhysicalMemory M>
std::optional<Table> find_table(M& memory, std::uint64_t rsdp_physical, std::string_view name) {
    const auto root = read_root(memory, rsdp_physical);
    if (!root) return {};
    unsigned entries = unsigned((root->table.bytes - sizeof(HeaderLayout)) / root->entry_bytes), damaged = 0;
    if (entries > root_entries_max) entries = root_entries_max;
    for (unsigned i = 0; i < entries; ++i) {
        std::uint64_t physical = 0;  // little-endian: a 4-byte entry fills the low half
        const std::uint64_t at = root->table.physical + sizeof(HeaderLayout) + i * root->entry_bytes;
        if (!memory.read(at, &physical, root->entry_bytes)) return {};
        Table table;
        const TableEnd end = table_at(memory, physical, signature(name), table);
        if (end == TableEnd::found) return table;
        if (end == TableEnd::damaged && ++damaged > damaged_max) return {};
    }
    return {};
}

enum class Space : std::uint8_t { memory = 0, io = 1, pci_config = 2 };
struct [[gnu::packed]] AddressLayout {  // Generic Address Structure
    std::uint8_t space, bit_width, bit_offset, access_size;
    std::uint64_t address;
};
static_assert(sizeof(AddressLayout) == 12);

// A port that the FADT names, 0 for none: the wide field where the table has it and it names one, else the old one.
template <PhysicalMemory M>
std::uint16_t fadt_port(M& memory, const Table& fadt, std::uint32_t old_field, std::uint32_t wide_field) {
    constexpr std::uint64_t ports = 0x10000;
    AddressLayout wide{};
    if (read_field(memory, fadt, wide_field, wide) && wide.space == std::uint8_t(Space::io) && wide.address != 0 &&
        wide.address < ports)
        return std::uint16_t(wide.address);
    std::uint32_t old = 0;
    read_field(memory, fadt, old_field, old);
    return old < ports ? std::uint16_t(old) : 0;
}

// What the MADT lists (ACPI 6.5, 5.2.12).
struct LocalApic {  // types 0 and 9
    std::uint32_t apic_id;
    bool enabled;         // ready for use
    bool online_capable;  // not there yet; may be plugged in at run time
};
struct IoApic {  // type 1
    std::uint8_t id;
    std::uint32_t physical;     // of its registers
    std::uint32_t first_input;  // global system interrupt of its pin 0
};
enum class Polarity : std::uint8_t { bus_default = 0, active_high = 1, active_low = 3 };
enum class Trigger : std::uint8_t { bus_default = 0, edge = 1, level = 3 };
struct SourceOverride {  // type 2: an ISA interrupt that is not wired one to one
    std::uint8_t isa_interrupt;
    std::uint32_t input;  // global system interrupt
    Polarity polarity;
    Trigger trigger;
};
struct Madt {
    std::uint64_t local_apic_physical = 0;  // type 5 wins over the header's 32 bits
    bool has_8259 = false;                  // two of them, to be masked
};

namespace detail {

template <typename T, PhysicalMemory M>
T field(M& memory, const Table& table, std::uint32_t offset) {  // within the table: checked by the caller
    T value{};
    read_field(memory, table, offset, value);
    return value;
}

template <PhysicalMemory M, typename V>
void visit_entry(M& memory, const Table& t, std::uint32_t at, std::uint8_t type, std::uint8_t bytes, Madt& madt,
                 V& visit) {
    constexpr std::uint32_t enabled = 1, online_capable = 2, no_apic = 0xff;
    const auto local_apic = [&](std::uint32_t id, std::uint32_t flags) {
        if constexpr (std::invocable<V&, const LocalApic&>)
            visit(LocalApic{id, (flags & enabled) != 0, (flags & online_capable) != 0});
    };
    if (type == 0 && bytes >= 8) {
        const auto id = field<std::uint8_t>(memory, t, at + 3);
        if (id != no_apic) local_apic(id, field<std::uint32_t>(memory, t, at + 4));
    } else if (type == 9 && bytes >= 16) {
        const auto id = field<std::uint32_t>(memory, t, at + 4);
        if (id != ~std::uint32_t{0}) local_apic(id, field<std::uint32_t>(memory, t, at + 8));
    } else if (type == 1 && bytes >= 12) {
        if constexpr (std::invocable<V&, const IoApic&>)
            visit(IoApic{field<std::uint8_t>(memory, t, at + 2), field<std::uint32_t>(memory, t, at + 4),
                         field<std::uint32_t>(memory, t, at + 8)});
    } else if (type == 2 && bytes >= 10) {
        if constexpr (std::invocable<V&, const SourceOverride&>) {
            const auto flags = field<std::uint16_t>(memory, t, at + 8);
            visit(SourceOverride{field<std::uint8_t>(memory, t, at + 3), field<std::uint32_t>(memory, t, at + 4),
                                 Polarity(flags & 3), Trigger(flags >> 2 & 3)});
        }
    } else if (type == 5 && bytes >= 12) {
        madt.local_apic_physical = field<std::uint64_t>(memory, t, at + 4);
    }
}

}  // namespace detail

// Calls `visit` with each LocalApic, IoApic and SourceOverride that it can be called with, in the table's order. An
// entry that is cut off or claims to be empty ends the list; one that is too short for its type is passed over.
template <PhysicalMemory M, typename V>
std::optional<Madt> read_madt(M& memory, const Table& table, V&& visit) {
    constexpr std::uint32_t entries_at = 44;
    if (table.bytes < entries_at) return {};
    Madt madt;
    madt.local_apic_physical = detail::field<std::uint32_t>(memory, table, 36);
    madt.has_8259 = detail::field<std::uint32_t>(memory, table, 40) & 1;
    for (std::uint32_t at = entries_at; table.bytes - at >= 2;) {
        const auto type = detail::field<std::uint8_t>(memory, table, at);
        const auto bytes = detail::field<std::uint8_t>(memory, table, at + 1);
        if (bytes < 2 || bytes > table.bytes - at) break;
        detail::visit_entry(memory, table, at, type, bytes, madt, visit);
        at += bytes;
    }
    return madt;
}

}  // namespace regs::acpi
