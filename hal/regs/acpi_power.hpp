// SPDX-License-Identifier: MIT
// How to switch the machine off and start it again, from ACPI's FADT and, without an AML interpreter, the DSDT: the
// _S5_ package is looked for by its bytes (ACPI 6.5, 4.8.3.2, 5.2.9, 7.4.2). Freestanding; nothing is allocated.
#pragma once
#include <cstdint>
#include <optional>
#include <regs/acpi.hpp>

namespace regs::acpi {

// PM1 control register.
inline constexpr std::uint16_t sci_enabled = 1u << 0, sleep_type_mask = 7u << 10, sleep_enable = 1u << 13;
inline constexpr unsigned sleep_type_shift = 10;

struct Power {
    bool emulator = false;          // the tables are those that QEMU and Bochs come with
    std::uint16_t pm1a = 0;         // I/O ports of the PM1 control registers; 0: none
    std::uint16_t pm1b = 0;         //
    std::uint16_t smi_command = 0;  // where `acpi_enable` is written if ACPI is not on; 0: it is always on
    std::uint8_t acpi_enable = 0;
    std::optional<std::uint8_t> sleep_a, sleep_b;  // SLP_TYPa and b of S5; empty: not found
    std::optional<AddressLayout> reset;            // empty: there is none
    std::uint8_t reset_value = 0;

    bool can_switch_off() const { return pm1a != 0 && sleep_a.has_value(); }
};

namespace detail {

// A small integer of AML at `at`, which moves behind it: ZeroOp, OneOp, BytePrefix, WordPrefix, DWordPrefix.
template <PhysicalMemory M>
std::optional<std::uint8_t> aml_integer(M& memory, const Table& table, std::uint32_t& at) {
    std::uint8_t op = 0, value = 0;
    if (!read_field(memory, table, at, op)) return {};
    const unsigned bytes = op == 0x0a ? 1 : op == 0x0b ? 2 : op == 0x0c ? 4 : 0;
    if (bytes == 0 && op != 0 && op != 1) return {};
    if (bytes == 0) value = op;
    else if (!read_field(memory, table, at + 1, value)) return {};
    at += 1 + bytes;
    return value;
}

// NameOp "_S5_" PackageOp PkgLength NumElements a b ... at the name; the name may be written \_S5_.
template <PhysicalMemory M>
bool read_s5(M& memory, const Table& table, std::uint32_t name, Power& power) {
    constexpr std::uint8_t name_op = 0x08, package_op = 0x12, root = '\\', value_mask = 7;
    std::uint8_t before = 0, earlier = 0, op = 0, length = 0, elements = 0;
    read_field(memory, table, name - 1, before);
    read_field(memory, table, name - 2, earlier);
    if (before != name_op && !(before == root && earlier == name_op)) return false;
    std::uint32_t at = name + 4;
    if (!read_field(memory, table, at, op) || op != package_op) return false;
    if (!read_field(memory, table, at + 1, length)) return false;
    at += 2 + (length >> 6);  // bits 7..6: how many more bytes the length has
    if (!read_field(memory, table, at, elements) || elements < 1) return false;
    ++at;
    const auto a = aml_integer(memory, table, at);
    if (!a) return false;
    power.sleep_a = *a & value_mask;
    const auto b = elements >= 2 ? aml_integer(memory, table, at) : std::nullopt;
    power.sleep_b = b ? *b & value_mask : *power.sleep_a;
    return true;
}

template <PhysicalMemory M>
void find_s5(M& memory, const Table& dsdt, Power& power) {
    constexpr std::uint32_t piece_bytes = 256, name_bytes = 4;
    std::uint8_t piece[piece_bytes];
    for (std::uint32_t at = sizeof(HeaderLayout) + 1; at + name_bytes <= dsdt.bytes;
         at += piece_bytes - name_bytes + 1) {
        const std::uint32_t bytes = dsdt.bytes - at < piece_bytes ? dsdt.bytes - at : piece_bytes;
        if (!memory.read(dsdt.physical + at, piece, bytes)) return;
        for (std::uint32_t i = 0; i + name_bytes <= bytes; ++i) {
            if (piece[i] != '_' || piece[i + 1] != 'S' || piece[i + 2] != '5' || piece[i + 3] != '_') continue;
            if (read_s5(memory, dsdt, at + i, power)) return;
        }
    }
}

}  // namespace detail

// Fields that the FADT is too short for stay at their defaults.
template <PhysicalMemory M>
std::optional<Power> read_power(M& memory, std::uint64_t rsdp_physical) {
    constexpr std::uint32_t oem_at = 10, dsdt_at = 40, smi_command_at = 48, acpi_enable_at = 52, pm1a_at = 64,
                            pm1b_at = 68, flags_at = 112, reset_at = 116, reset_value_at = 128, wide_dsdt_at = 140,
                            wide_pm1a_at = 172, wide_pm1b_at = 184;
    constexpr std::uint32_t reset_supported = 1u << 10;
    const auto fadt = find_table(memory, rsdp_physical, "FACP");
    if (!fadt) return {};
    Power power;
    struct Oem {
        char name[6];
    } oem{};
    read_field(memory, *fadt, oem_at, oem);
    power.emulator = std::string_view(oem.name, sizeof oem.name) == "BOCHS ";
    std::uint32_t flags = 0, smi_command = 0, dsdt_old = 0;
    std::uint64_t dsdt_wide = 0;
    read_field(memory, *fadt, smi_command_at, smi_command);
    read_field(memory, *fadt, acpi_enable_at, power.acpi_enable);
    power.smi_command = smi_command < 0x10000 ? std::uint16_t(smi_command) : 0;
    power.pm1a = fadt_port(memory, *fadt, pm1a_at, wide_pm1a_at);
    power.pm1b = fadt_port(memory, *fadt, pm1b_at, wide_pm1b_at);
    read_field(memory, *fadt, flags_at, flags);
    AddressLayout reset{};
    if ((flags & reset_supported) && read_field(memory, *fadt, reset_at, reset) &&
        read_field(memory, *fadt, reset_value_at, power.reset_value))
        power.reset = reset;
    read_field(memory, *fadt, dsdt_at, dsdt_old);
    read_field(memory, *fadt, wide_dsdt_at, dsdt_wide);
    Table dsdt;
    if (table_at(memory, dsdt_wide ? dsdt_wide : dsdt_old, signature("DSDT"), dsdt) == TableEnd::found)
        detail::find_s5(memory, dsdt, power);
    return power;
}

}  // namespace regs::acpi
