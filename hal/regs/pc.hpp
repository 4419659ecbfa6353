// SPDX-License-Identifier: MIT
// Fixed addresses and register numbers of a PC: ports, local APIC, MSRs. constexpr only; builds anywhere.
#pragma once
#include <cstdint>

namespace regs {

namespace port {
inline constexpr std::uint16_t com1 = 0x3f8;             // 16550 UART
inline constexpr std::uint16_t debug_exit = 0xf4;        // QEMU's isa-debug-exit: exit status (value << 1) | 1
inline constexpr std::uint16_t bochs_shutdown = 0x8900;  // Bochs: the bytes of "Shutdown" end the run
inline constexpr std::uint16_t bochs_debug = 0xe9;       // Bochs prints these bytes on its standard output
inline constexpr std::uint16_t pit_channel2 = 0x42;
inline constexpr std::uint16_t pit_command = 0x43;
inline constexpr std::uint16_t pit_gate = 0x61;
inline constexpr std::uint16_t pic1_data = 0x21;
inline constexpr std::uint16_t pic2_data = 0xa1;
inline constexpr std::uint16_t keyboard_data = 0x60;    // 8042
inline constexpr std::uint16_t keyboard_status = 0x64;  // read: status; write: command
inline constexpr std::uint16_t pci_address = 0xcf8, pci_data = 0xcfc;
inline constexpr std::uint16_t reset_control = 0xcf9;  // of most chipsets
inline constexpr std::uint16_t crtc_index = 0x3d4;     // of a VGA in colour text mode
inline constexpr std::uint16_t crtc_data = 0x3d5;
}  // namespace port

namespace debug_exit {
inline constexpr std::uint8_t success = 0x10;  // QEMU then exits with 33
inline constexpr std::uint8_t failure = 0x11;  // QEMU then exits with 35
}  // namespace debug_exit

namespace lapic {  // APM2 16.3: offsets from the APIC base
inline constexpr std::uint64_t default_base = 0xfee0'0000;
inline constexpr std::uint32_t id = 0x20, version = 0x30, tpr = 0x80, eoi = 0xb0, spurious = 0xf0, isr = 0x100,
                               tmr = 0x180, irr = 0x200, esr = 0x280, icr_low = 0x300, icr_high = 0x310,
                               lvt_timer = 0x320, lvt_lint0 = 0x350, lvt_lint1 = 0x360, lvt_error = 0x370,
                               timer_initial = 0x380, timer_current = 0x390, timer_divide = 0x3e0;
inline constexpr std::uint32_t lvt_masked = 1u << 16, lvt_periodic = 1u << 17, lvt_tsc_deadline = 2u << 17,
                               spurious_enable = 1u << 8;
// Interrupt command: a vector alone is a fixed interrupt. One CPU is named by its id.
inline constexpr std::uint32_t icr_init = 5u << 8, icr_startup = 6u << 8, icr_pending = 1u << 12, icr_assert = 1u << 14;
// The base MSR.
inline constexpr std::uint64_t base_x2apic = 1u << 10, base_enabled = 1u << 11, base_address = 0x000f'ffff'ffff'f000;
}  // namespace lapic

namespace msr {
inline constexpr std::uint32_t apic_base = 0x1b, tsc_deadline = 0x6e0, x2apic_first = 0x800, efer = 0xc000'0080,
                               star = 0xc000'0081, lstar = 0xc000'0082, cstar = 0xc000'0083, fmask = 0xc000'0084,
                               fs_base = 0xc000'0100, gs_base = 0xc000'0101, kernel_gs_base = 0xc000'0102,
                               tsc_aux = 0xc000'0103;
}  // namespace msr

}  // namespace regs
