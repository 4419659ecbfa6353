// SPDX-License-Identifier: MIT
// The FADT and the bytes of _S5_, whole and damaged; scan codes of a keyboard.
#include <gtest/gtest.h>

#include <cstring>
#include <regs/acpi_power.hpp>
#include <regs/keyboard.hpp>
#include <string>
#include <vector>

namespace {

using namespace regs;

struct Firmware {
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(0x4000);
    static constexpr std::uint64_t rsdp = 0x100, rsdt = 0x200, fadt = 0x400, dsdt = 0x1000;

    bool read(std::uint64_t physical, void* to, std::size_t count) const {
        if (physical >= bytes.size() || count > bytes.size() - physical) return false;
        std::memcpy(to, bytes.data() + physical, count);
        return true;
    }
    template <typename T>
    void put(std::uint64_t at, T value) {
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    void text(std::uint64_t at, const std::string& value) {
        std::copy(value.begin(), value.end(), bytes.begin() + long(at));
    }
    void sum(std::uint64_t at, std::uint32_t count, std::uint32_t checksum_at) {
        bytes[at + checksum_at] = 0;
        std::uint8_t total = 0;
        for (std::uint32_t i = 0; i < count; ++i) total = std::uint8_t(total + bytes[at + i]);
        bytes[at + checksum_at] = std::uint8_t(-total);
    }
    void table(std::uint64_t at, const std::string& name, std::uint32_t count, const std::string& oem = "TESTER") {
        text(at, name);
        put<std::uint32_t>(at + 4, count);
        text(at + 10, oem);
        sum(at, count, 9);
    }
    void set_dsdt(const std::string& aml) {
        text(dsdt + 36, aml);
        table(dsdt, "DSDT", std::uint32_t(36 + aml.size()));
    }
    explicit Firmware(const std::string& aml, std::uint32_t fadt_bytes = 116, const std::string& oem = "TESTER") {
        text(rsdp, "RSD PTR ");
        put<std::uint32_t>(rsdp + 16, std::uint32_t(rsdt));
        sum(rsdp, 20, 8);
        put<std::uint32_t>(rsdt + 36, std::uint32_t(fadt));
        table(rsdt, "RSDT", 40);
        put<std::uint32_t>(fadt + 40, std::uint32_t(dsdt));
        put<std::uint32_t>(fadt + 48, 0xb2);
        put<std::uint8_t>(fadt + 52, 0xf1);
        put<std::uint32_t>(fadt + 64, 0x604);
        table(fadt, "FACP", fadt_bytes, oem);
        set_dsdt(aml);
    }
    acpi::Power power() const {
        Firmware copy = *this;
        return acpi::read_power(copy, rsdp).value();
    }
};

std::string bytes(std::initializer_list<int> list) { return {list.begin(), list.end()}; }
const std::string noise = std::string(700, '_') + "_S5_ is only a word here _S4_";

TEST(AcpiPower, SleepTypesInEveryForm) {
    const struct {
        std::string package;
        int a, b;
    } forms[] = {
        {bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00}), 0, 0},              // QEMU
        {bytes({0x08}) + "_S5_" + bytes({0x12, 0x08, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0x00, 0x00}), 5, 7},  // most PCs
        {bytes({0x08, '\\'}) + "_S5_" + bytes({0x12, 0x06, 0x02, 0x01, 0x0b, 0x06, 0x00}), 1, 6},
        {bytes({0x08}) + "_S5_" + bytes({0x12, 0x46, 0x01, 0x04, 0x0c, 0x05, 0x00, 0x00, 0x00, 0x01}), 5, 1},
        {bytes({0x08}) + "_S5_" + bytes({0x12, 0x03, 0x01, 0x0a, 0x03}), 3, 3},
    };
    for (const auto& form : forms) {
        for (unsigned shift = 0; shift < 260; ++shift) {  // across the pieces in which it is read
            const acpi::Power power = Firmware(noise + std::string(shift, 'x') + form.package + noise).power();
            ASSERT_TRUE(power.can_switch_off()) << shift;
            ASSERT_EQ(power.sleep_a, form.a);
            ASSERT_EQ(power.sleep_b, form.b);
        }
    }
}

TEST(AcpiPower, WhatIsNoPackageIsPassedOver) {
    for (const std::string& aml :
         {std::string(), std::string("_S5_"), noise, bytes({0x08}) + "_S5_", bytes({0x08}) + "_S5_" + bytes({0x12}),
          bytes({0x08}) + "_S5_" + bytes({0x12, 0xc6}), bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x04}),
          bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x04, 0x0a}),
          bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x00, 0x00}),
          bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x04, 0x0d, 'a', 0})}) {
        const acpi::Power power = Firmware(aml).power();
        EXPECT_FALSE(power.can_switch_off());
        EXPECT_EQ(power.pm1a, 0x604);
    }
    Firmware damaged(bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00}));
    EXPECT_TRUE(damaged.power().can_switch_off());
    ++damaged.bytes[Firmware::dsdt + 40];
    EXPECT_FALSE(damaged.power().can_switch_off());
}

TEST(AcpiPower, FieldsOfOldAndNewTables) {
    const std::string s5 = bytes({0x08}) + "_S5_" + bytes({0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00});
    const acpi::Power old = Firmware(s5).power();
    EXPECT_EQ(old.smi_command, 0xb2);
    EXPECT_EQ(old.acpi_enable, 0xf1);
    EXPECT_EQ(old.pm1b, 0);
    EXPECT_FALSE(old.reset);
    EXPECT_FALSE(old.emulator);
    EXPECT_TRUE(Firmware(s5, 116, "BOCHS ").power().emulator);

    Firmware wide(s5, 244);
    wide.put<std::uint32_t>(Firmware::fadt + 112, 1u << 10);
    wide.put(Firmware::fadt + 116, acpi::AddressLayout{1, 8, 0, 1, 0xcf9});
    wide.put<std::uint8_t>(Firmware::fadt + 128, 0x0f);
    wide.put<std::uint64_t>(Firmware::fadt + 140, Firmware::dsdt);
    wide.put<std::uint32_t>(Firmware::fadt + 40, 0);
    wide.put(Firmware::fadt + 172, acpi::AddressLayout{1, 16, 0, 2, 0x1804});
    wide.put(Firmware::fadt + 184, acpi::AddressLayout{0, 16, 0, 2, 0xfed0'0000});  // not a port: the old field counts
    wide.put<std::uint32_t>(Firmware::fadt + 68, 0x1904);
    wide.sum(Firmware::fadt, 244, 9);
    const acpi::Power power = wide.power();
    EXPECT_EQ(power.pm1a, 0x1804);
    EXPECT_EQ(power.pm1b, 0x1904);
    ASSERT_TRUE(power.reset);
    EXPECT_EQ(std::uint64_t(power.reset->address), 0xcf9u);
    EXPECT_EQ(power.reset_value, 0x0f);
    EXPECT_TRUE(power.can_switch_off());
}

std::string typed(KeyboardDecoder& keyboard, std::initializer_list<int> codes) {
    std::string text;
    for (const int code : codes) {
        const int c = keyboard.feed(std::uint8_t(code));
        if (c != KeyboardDecoder::none) text += char(c);
    }
    return text;
}

TEST(Keyboard, CharactersShiftAndCapsLock) {
    KeyboardDecoder keyboard;
    EXPECT_EQ(typed(keyboard, {0x19, 0x99, 0x13, 0x93, 0x1c, 0x9c, 0x0e, 0x39}), "pr\n\b ");
    EXPECT_EQ(typed(keyboard, {0x2a, 0x19, 0x02, 0xaa, 0x19, 0x02}), "P!p1");
    EXPECT_EQ(typed(keyboard, {0x2a, 0x36, 0xaa, 0x1e, 0xb6, 0x1e}), "Aa");  // one shift still held
    EXPECT_EQ(typed(keyboard, {0x3a, 0xba, 0x1e, 0x02, 0x2a, 0x1e, 0xaa, 0x3a, 0xba, 0x1e}), "A1aa");
    EXPECT_EQ(typed(keyboard, {0x2b, 0x27, 0x28, 0x29, 0x33, 0x34, 0x35}), "\\;'`,./");
}

TEST(Keyboard, WhatIsNoCharacterIsLeftOut) {
    KeyboardDecoder keyboard;
    EXPECT_EQ(typed(keyboard, {0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x2a, 0xe0, 0x1c}), "\n");  // arrow, fake shift, enter
    EXPECT_EQ(typed(keyboard, {0x1e}), "a");                                             // the fake shift was none
    EXPECT_EQ(typed(keyboard, {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0x30}), "b");         // pause
    EXPECT_EQ(typed(keyboard, {0x3b, 0x1d, 0x38, 0x7f, 0xff, 0x00, 0x47}), "");
    for (int i = 0; i < 70'000; ++i) keyboard.feed(std::uint8_t(i * 31 + i / 256));  // whatever comes
}

}  // namespace
