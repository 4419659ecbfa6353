// SPDX-License-Identifier: MIT
// The end of a run. Emulators first, each by its own door, which carries the status: QEMU and the board listen on the
// debug-exit port, Bochs on 0x8900. A PC may have a device at those ports, so they are written only where an emulator
// is recognised. Then ACPI.
//
// Firmware's tables are read at the very end, not at every boot: the final tables do not map them, but the early direct
// map, which does, is still in the image.
#include <arch/acpi.hpp>
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <hal/boot_info.hpp>
#include <hal/console.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/mmu.hpp>
#include <hal/power.hpp>
#include <regs/acpi_power.hpp>
#include <regs/page_table.hpp>
#include <regs/pc.hpp>
#include <string_view>

namespace hal {
namespace x86 {
namespace {

using namespace regs;

// About `microseconds`, without a clock: a port read takes one on a PC.
void wait_about(unsigned microseconds) {
    for (unsigned i = 0; i < microseconds; ++i) {
        in8(port::pit_gate);
        relax();
    }
}

void drain_console() {
    constexpr std::uint8_t transmitter_empty = 0x40;  // FIFO and shift register: nothing is lost
    for (unsigned spin = 0; !(in8(port::com1 + 5) & transmitter_empty) && spin < 1'000'000; ++spin) relax();
}

// This CPU sees all of physical memory again, as at the start. Nothing is unmapped after that: the machine ends.
void reach_firmware() {
    std::uint64_t* const root =
        reinterpret_cast<std::uint64_t*>(phys_to_virt(PhysAddr(read_cr3() & pte::address_mask)));
    root[paging::index(HAL_DIRECT_MAP, paging::levels)] = image_phys(early_direct).value() | pte::present | pte::write;
    write_cr3(read_cr3());
}

acpi::Power firmware_power() {
    const BootInfo& boot = boot_information();
    if (boot.acpi_root == PhysAddr(0)) return {};
    reach_firmware();
    EarlyMemory memory;
    return acpi::read_power(memory, boot.acpi_root.value()).value_or(acpi::Power{});
}

bool announced_emulator() { return boot_information().path != BootPath::multiboot2 || cpuid_has(cpuid::hypervisor); }

void try_emulator_doors(PowerOff how) {
    out8(port::debug_exit, how == PowerOff::success ? debug_exit::success : debug_exit::failure);
    // Bochs prints what comes to its debug port, and its own exit status says nothing. Other emulators are gone by now.
    const std::string_view end = how == PowerOff::success ? "exo-end: success\n" : "exo-end: failure\n";
    for (const char c : end) out8(port::bochs_debug, std::uint8_t(c));
    for (const char c : std::string_view("Shutdown")) out8(port::bochs_shutdown, std::uint8_t(c));
}

void enable_acpi(const acpi::Power& power) {
    if (power.smi_command == 0 || power.acpi_enable == 0 || (in16(power.pm1a) & acpi::sci_enabled)) return;
    out8(power.smi_command, power.acpi_enable);
    for (unsigned spin = 0; !(in16(power.pm1a) & acpi::sci_enabled) && spin < 300'000; ++spin) relax();
}

// ACPI 6.5, 4.8.3.2.1: the sleep type in both registers, then the bit that acts.
void acpi_power_off(const acpi::Power& power) {
    if (!power.can_switch_off()) return;
    enable_acpi(power);
    const auto control = [](std::uint16_t port, std::uint8_t type) {
        const unsigned kept = in16(port) & ~unsigned(acpi::sleep_type_mask | acpi::sleep_enable);
        return std::uint16_t(kept | unsigned(type) << acpi::sleep_type_shift);
    };
    const std::uint16_t a = control(power.pm1a, *power.sleep_a);
    const std::uint16_t b = power.pm1b ? control(power.pm1b, *power.sleep_b) : std::uint16_t{0};
    out16(power.pm1a, a);
    if (power.pm1b) out16(power.pm1b, b);
    out16(power.pm1a, a | acpi::sleep_enable);
    if (power.pm1b) out16(power.pm1b, b | acpi::sleep_enable);
    wait_about(2'000'000);
}

void acpi_reset(const acpi::Power& power) {
    if (!power.reset) return;
    const std::uint64_t address = power.reset->address;
    switch (acpi::Space(power.reset->space)) {
        case acpi::Space::memory:
            if (EarlyMemory().reaches(address, 1))
                *reinterpret_cast<volatile std::uint8_t*>(phys_to_virt(PhysAddr(address))) = power.reset_value;
            break;
        case acpi::Space::io:
            out8(std::uint16_t(address), power.reset_value);
            break;
        case acpi::Space::pci_config: {  // bus 0; bits 47..32 device, 31..16 function, 15..0 register
            const auto device = std::uint32_t(address >> 32 & 0x1f), function = std::uint32_t(address >> 16 & 7),
                       offset = std::uint32_t(address & 0xff);
            out32(port::pci_address, 0x8000'0000 | device << 11 | function << 8 | (offset & 0xfc));
            out8(std::uint16_t(port::pci_data + (offset & 3)), power.reset_value);
            break;
        }
    }
    wait_about(100'000);
}

}  // namespace
}  // namespace x86

void power_off(PowerOff how) {
    using namespace x86;
    irq_disable();
    drain_console();
    if (announced_emulator()) try_emulator_doors(how);
    const acpi::Power power = firmware_power();
    if (power.emulator) try_emulator_doors(how);
    acpi_power_off(power);
    console_write("The machine cannot switch itself off: do it by hand.\n");
    for (;;) asm volatile("cli\n\thlt");
}

void reboot() {
    using namespace x86;
    irq_disable();
    drain_console();
    acpi_reset(firmware_power());
    out8(port::reset_control, 0x02);  // the chipset's own register: a full reset, then do it
    out8(port::reset_control, 0x06);
    wait_about(100'000);
    for (unsigned spin = 0; (in8(port::keyboard_status) & 0x02) && spin < 100'000; ++spin) relax();
    out8(port::keyboard_status, 0xfe);  // the keyboard controller pulses the reset line
    wait_about(100'000);
    const TableRegister nothing{0, 0};  // no exception can be delivered: triple fault
    asm volatile("lidt %0\n\tint3" ::"m"(nothing) : "memory");
    for (;;) asm volatile("cli\n\thlt");
}

}  // namespace hal
