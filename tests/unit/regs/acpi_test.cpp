// SPDX-License-Identifier: MIT
// Reading ACPI tables: well-formed ones of both revisions, and whatever else firmware or an attacker may leave in
// memory. The memory under test counts what is read and refuses, and notes, a read outside.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <regs/acpi.hpp>
#include <vector>

namespace {

using namespace regs;

constexpr std::uint64_t base = 0x7fe'0000;  // of the memory under test

struct Memory {
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(16384);
    std::uint64_t bytes_read = 0;
    bool left_the_tables = false;

    bool read(std::uint64_t physical, void* to, std::size_t count) {
        bytes_read += count;
        if (physical < base || physical - base > bytes.size() || count > bytes.size() - (physical - base)) {
            left_the_tables = true;
            return false;
        }
        std::memcpy(to, bytes.data() + (physical - base), count);
        return true;
    }
    template <typename T>
    void put(std::uint64_t physical, T value) {
        std::memcpy(bytes.data() + (physical - base), &value, sizeof value);
    }
    void put_text(std::uint64_t physical, std::string_view text) {
        std::memcpy(bytes.data() + (physical - base), text.data(), text.size());
    }
    void fix_checksum(std::uint64_t physical, std::size_t count, std::size_t checksum_at) {
        put(physical + checksum_at, std::uint8_t{0});
        std::uint8_t sum = 0;
        for (std::size_t i = 0; i < count; ++i) sum = std::uint8_t(sum + bytes[physical - base + i]);
        put(physical + checksum_at, std::uint8_t(-sum));
    }
    void finish_table(std::uint64_t physical, std::string_view name, std::uint32_t count) {
        put_text(physical, name);
        put(physical + 4, count);
        fix_checksum(physical, count, 9);
    }
};

constexpr std::uint64_t rsdp = base + 0x10, rsdt = base + 0x100, xsdt = base + 0x200, madt = base + 0x400,
                        fadt = base + 0x800;

void finish_rsdp(Memory& memory) {
    memory.fix_checksum(rsdp, acpi::rsdp_v0_bytes, 8);
    memory.fix_checksum(rsdp, sizeof(acpi::RsdpLayout), 32);
}

std::uint32_t write_madt(Memory& memory) {
    memory.put(madt + 36, std::uint32_t{0xfee0'0000});
    memory.put(madt + 40, std::uint32_t{1});
    std::uint64_t at = madt + 44;
    const auto entry = [&](std::initializer_list<std::uint8_t> bytes) {
        for (const std::uint8_t byte : bytes) memory.put(at++, byte);
    };
    entry({0, 8, 0, 0, 1, 0, 0, 0});                                       // CPU 0, enabled
    entry({0, 8, 1, 4, 0, 0, 0, 0});                                       // APIC 4, absent
    entry({0, 8, 2, 6, 2, 0, 0, 0});                                       // APIC 6, may come later
    entry({0, 8, 3, 0xff, 1, 0, 0, 0});                                    // no APIC at all
    entry({1, 12, 7, 0, 0x00, 0x00, 0xc0, 0xfe, 24, 0, 0, 0});             // I/O APIC
    entry({2, 10, 0, 0, 2, 0, 0, 0, 0, 0});                                // ISA 0 is input 2, as the bus says
    entry({2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0});                             // ISA 9: high, level
    entry({4, 6, 0xff, 0, 0, 1});                                          // an NMI source: not ours
    entry({9, 16, 0, 0, 0x23, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0});           // x2APIC 123h
    entry({5, 12, 0, 0, 0x00, 0x00, 0xe0, 0xfe, 0x10, 0x00, 0x00, 0x00});  // the local APICs are elsewhere
    return std::uint32_t(at - madt);
}

Memory well_formed() {
    Memory memory;
    memory.put_text(rsdp, "RSD PTR ");
    memory.put(rsdp + 15, std::uint8_t{2});
    memory.put(rsdp + 16, std::uint32_t(rsdt));
    memory.put(rsdp + 20, std::uint32_t(sizeof(acpi::RsdpLayout)));
    memory.put(rsdp + 24, xsdt);
    finish_rsdp(memory);
    memory.put(rsdt + 36, std::uint32_t(fadt));
    memory.finish_table(rsdt, "RSDT", 40);  // has no MADT: tells which of the two was used
    memory.put(xsdt + 36, fadt);
    memory.put(xsdt + 44, madt);
    memory.finish_table(xsdt, "XSDT", 52);
    memory.finish_table(fadt, "FACP", 244);
    memory.finish_table(madt, "APIC", write_madt(memory));
    return memory;
}

struct Seen {
    std::vector<acpi::LocalApic> cpus;
    std::vector<acpi::IoApic> io_apics;
    std::vector<acpi::SourceOverride> overrides;
    void operator()(const acpi::LocalApic& entry) { cpus.push_back(entry); }
    void operator()(const acpi::IoApic& entry) { io_apics.push_back(entry); }
    void operator()(const acpi::SourceOverride& entry) { overrides.push_back(entry); }
};

TEST(Acpi, FindsTablesThroughTheXsdt) {
    Memory memory = well_formed();
    const auto found = acpi::find_table(memory, rsdp, "APIC");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->physical, madt);
    EXPECT_EQ(acpi::find_table(memory, rsdp, "FACP")->bytes, 244u);
    EXPECT_FALSE(acpi::find_table(memory, rsdp, "HPET"));
    EXPECT_FALSE(memory.left_the_tables);
}

TEST(Acpi, AnOldOrDamagedRsdpLeadsToTheRsdt) {
    Memory old = well_formed();
    old.put(rsdp + 15, std::uint8_t{0});
    finish_rsdp(old);
    Memory bad_sum = well_formed();
    bad_sum.put(rsdp + 33, std::uint8_t{1});
    Memory bad_xsdt = well_formed();
    bad_xsdt.put(xsdt + 10, 'x');
    Memory no_xsdt = well_formed();
    no_xsdt.put(rsdp + 24, std::uint64_t{0});
    finish_rsdp(no_xsdt);
    for (Memory* memory : {&old, &bad_sum, &bad_xsdt, &no_xsdt}) {
        EXPECT_TRUE(acpi::find_table(*memory, rsdp, "FACP"));
        EXPECT_FALSE(acpi::find_table(*memory, rsdp, "APIC"));
    }
}

TEST(Acpi, NoTablesWhereTheRsdpIsNot) {
    Memory memory = well_formed();
    EXPECT_FALSE(acpi::find_table(memory, 0, "APIC"));
    EXPECT_FALSE(acpi::find_table(memory, rsdp + 16, "APIC"));
    EXPECT_FALSE(acpi::find_table(memory, ~std::uint64_t{0}, "APIC"));
    memory.put(rsdp + 9, 'x');  // the first checksum is wrong
    EXPECT_FALSE(acpi::find_table(memory, rsdp, "APIC"));
}

TEST(Acpi, ReadsTheMadt) {
    Memory memory = well_formed();
    Seen seen;
    const auto table = acpi::find_table(memory, rsdp, "APIC");
    ASSERT_TRUE(table);
    const auto read = acpi::read_madt(memory, *table, seen);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->local_apic_physical, 0x10'fee0'0000u);
    EXPECT_TRUE(read->has_8259);
    ASSERT_EQ(seen.cpus.size(), 4u);
    EXPECT_EQ(seen.cpus[0].apic_id, 0u);
    EXPECT_TRUE(seen.cpus[0].enabled);
    EXPECT_FALSE(seen.cpus[1].enabled || seen.cpus[1].online_capable);
    EXPECT_TRUE(seen.cpus[2].online_capable && !seen.cpus[2].enabled);
    EXPECT_EQ(seen.cpus[3].apic_id, 0x123u);
    ASSERT_EQ(seen.io_apics.size(), 1u);
    EXPECT_EQ(seen.io_apics[0].physical, 0xfec0'0000u);
    EXPECT_EQ(seen.io_apics[0].first_input, 24u);
    ASSERT_EQ(seen.overrides.size(), 2u);
    EXPECT_EQ(seen.overrides[0].input, 2u);
    EXPECT_EQ(seen.overrides[0].polarity, acpi::Polarity::bus_default);
    EXPECT_EQ(seen.overrides[1].polarity, acpi::Polarity::active_high);
    EXPECT_EQ(seen.overrides[1].trigger, acpi::Trigger::level);
    EXPECT_FALSE(memory.left_the_tables);
    // A visitor may want a part of it only.
    unsigned cpus = 0;
    acpi::read_madt(memory, *table, [&](const acpi::LocalApic&) { ++cpus; });
    EXPECT_EQ(cpus, 4u);
}

TEST(Acpi, AnEmptyOrCutOffEntryEndsTheList) {
    for (const std::uint8_t length : {0, 1, 255}) {
        Memory memory = well_formed();
        memory.put(madt + 44 + 8 + 1, length);  // of the second CPU
        memory.finish_table(madt, "APIC", 64);
        Seen seen;
        ASSERT_TRUE(acpi::read_madt(memory, *acpi::find_table(memory, rsdp, "APIC"), seen));
        EXPECT_EQ(seen.cpus.size(), 1u) << unsigned(length);
    }
}

TEST(Acpi, FieldsEndWithTheirTable) {
    Memory memory = well_formed();
    const auto table = acpi::find_table(memory, rsdp, "FACP");
    ASSERT_TRUE(table);
    std::uint32_t value = 77;
    EXPECT_TRUE(acpi::read_field(memory, *table, 240, value));
    EXPECT_EQ(value, 0u);
    value = 77;
    for (const std::uint32_t offset : {241u, 244u, 245u, 0xffff'fffcu, 0xffff'ffffu})
        EXPECT_FALSE(acpi::read_field(memory, *table, offset, value));
    EXPECT_EQ(value, 77u);
}

TEST(Acpi, AbsurdLengthsAreRefused) {
    for (const std::uint32_t bytes : {0u, 35u, acpi::table_bytes_max + 1, 0xffff'ffffu}) {
        Memory memory = well_formed();
        memory.put(madt + 4, bytes);
        EXPECT_FALSE(acpi::find_table(memory, rsdp, "APIC")) << bytes;
        EXPECT_LT(memory.bytes_read, 4096u);
    }
}

// A root of nothing but itself, and one of ever the same damaged table, as long as it can be.
TEST(Acpi, RootsThatLeadNowhereEnd) {
    Memory memory = well_formed();
    const std::uint64_t big = base + 0x1000;
    memory.put(rsdp + 24, big);
    finish_rsdp(memory);
    for (unsigned i = 0; i < 1000; ++i) memory.put(big + 36 + 8 * i, i % 2 ? big : fadt);
    memory.finish_table(big, "XSDT", 36 + 8 * 1000);
    EXPECT_FALSE(acpi::find_table(memory, rsdp, "APIC"));
    EXPECT_LT(memory.bytes_read, 64u * 1024);
    memory.put(madt + 10, 'x');
    for (unsigned i = 0; i < 1000; ++i) memory.put(big + 36 + 8 * i, madt);
    memory.finish_table(big, "XSDT", 36 + 8 * 1000);
    memory.bytes_read = 0;
    EXPECT_FALSE(acpi::find_table(memory, rsdp, "APIC"));
    EXPECT_LT(memory.bytes_read, 64u * 1024);
}

// Random damage, checksums mended half of the time so that it is not refused at the door.
TEST(Acpi, DamagedTablesNeverLeadOutsideOrOnForEver) {
    const Memory intact = well_formed();
    unsigned found = 0;
    for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
        std::mt19937_64 random(seed);
        Memory memory = intact;
        for (auto hits = 1 + random() % 8; hits-- > 0;) {
            const std::uint64_t places[] = {rsdp + random() % 40, rsdt + random() % 48, xsdt + random() % 56,
                                            madt + random() % 160};
            const std::uint8_t values[] = {0, 1, 2, 0x7f, 0xff, std::uint8_t(random())};
            memory.put(places[random() % 4], values[random() % 6]);
        }
        if (random() % 2) {
            finish_rsdp(memory);
            for (const std::uint64_t table : {rsdt, xsdt, madt}) {
                std::uint32_t bytes;
                std::memcpy(&bytes, memory.bytes.data() + (table - base) + 4, 4);
                if (bytes < 8192) memory.fix_checksum(table, bytes, 9);
            }
        }
        Seen seen;
        const auto table = acpi::find_table(memory, rsdp, "APIC");
        memory.left_the_tables = false;  // until here an address from a table may lead anywhere; the memory refused
        if (!table) continue;
        ++found;
        EXPECT_LE(table->bytes, memory.bytes.size());
        acpi::read_madt(memory, *table, seen);
        EXPECT_FALSE(memory.left_the_tables) << "seed " << seed;
        EXPECT_LE(seen.cpus.size() + seen.io_apics.size() + seen.overrides.size(), table->bytes / 8);
        EXPECT_LT(memory.bytes_read, 1u << 20) << "seed " << seed;
    }
    EXPECT_GT(found, 2000u);  // the damage was not all fatal
}

// Memory that is nothing but noise behind a valid RSDP.
TEST(Acpi, NoiseIsNoTable) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        std::mt19937_64 random(seed);
        Memory memory = well_formed();
        for (std::size_t i = xsdt - base + 36; i < memory.bytes.size(); ++i) memory.bytes[i] = std::uint8_t(random());
        memory.finish_table(xsdt, "XSDT", 36 + 8 * 300);
        EXPECT_FALSE(acpi::find_table(memory, rsdp, "APIC"));
        EXPECT_LT(memory.bytes_read, 64u * 1024);
    }
}

}  // namespace
