// SPDX-License-Identifier: MIT
// Segment descriptors, the 64-bit task-state segment and interrupt gates (APM2 4.8, 12.2.5; SDM 3A 3.4.5, 6.14, 7.7).
// constexpr only; builds anywhere.
#pragma once
#include <array>
#include <cstdint>

namespace regs {

// A selector: index in bits 15..3, table in bit 2, requested privilege in bits 1..0.
constexpr std::uint16_t selector(unsigned index, unsigned privilege = 0) {
    return std::uint16_t(index << 3 | privilege);
}

// Code and data descriptors. In 64-bit mode base and limit are ignored; they are given flat all the same, so that a
// debugger or an emulator that looks at them sees what 32-bit mode would.
struct SegmentKind {
    bool code;
    unsigned privilege;  // 0 or 3
};
constexpr std::uint64_t segment_descriptor(SegmentKind kind) {
    constexpr std::uint64_t limit_low = 0xffff, limit_high = 0xfull << 48, granular = 1ull << 55, present = 1ull << 47;
    constexpr std::uint64_t not_system = 1ull << 44, accessed = 1ull << 40, writable_or_readable = 1ull << 41;
    const std::uint64_t width = kind.code ? 1ull << 53 : 1ull << 54;  // L (64-bit code) or D/B (32-bit stack)
    return limit_low | limit_high | granular | present | not_system | accessed | writable_or_readable | width |
           std::uint64_t(kind.code) << 43 | std::uint64_t(kind.privilege) << 45;
}
inline constexpr std::uint64_t kernel_code_descriptor = segment_descriptor({true, 0});
inline constexpr std::uint64_t kernel_data_descriptor = segment_descriptor({false, 0});
inline constexpr std::uint64_t user_code_descriptor = segment_descriptor({true, 3});
inline constexpr std::uint64_t user_data_descriptor = segment_descriptor({false, 3});
static_assert(kernel_code_descriptor == 0x00af'9b00'0000'ffff);
static_assert(kernel_data_descriptor == 0x00cf'9300'0000'ffff);
static_assert(user_code_descriptor == 0x00af'fb00'0000'ffff);
static_assert(user_data_descriptor == 0x00cf'f300'0000'ffff);

struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0 = 0;
    std::uint64_t rsp[3] = {};  // stack on entry to rings 0..2
    std::uint64_t reserved1 = 0;
    std::uint64_t ist[7] = {};  // ist[0] is what a gate calls IST 1
    std::uint64_t reserved2 = 0;
    std::uint16_t reserved3 = 0;
    std::uint16_t io_map_base = 104;  // at the limit: no port is open to ring 3
};
static_assert(sizeof(TaskState) == 104);
static_assert(__builtin_offsetof(TaskState, rsp) == 4 && __builtin_offsetof(TaskState, ist) == 36);
static_assert(__builtin_offsetof(TaskState, io_map_base) == 102);

// The two GDT slots of an available 64-bit TSS.
constexpr std::array<std::uint64_t, 2> task_state_descriptor(std::uint64_t base) {
    constexpr std::uint64_t present = 1ull << 47, available_tss = 9ull << 40, limit = sizeof(TaskState) - 1;
    return {limit | (base & 0xff'ffff) << 16 | available_tss | present | (base >> 24 & 0xff) << 56, base >> 32};
}
static_assert(task_state_descriptor(0xffff'ffff'8123'4560)[0] == 0x8100'8923'4560'0067);
static_assert(task_state_descriptor(0xffff'ffff'8123'4560)[1] == 0xffff'ffff);

struct InterruptGate {
    std::uint64_t low = 0, high = 0;
};
static_assert(sizeof(InterruptGate) == 16);

// An interrupt gate (clears IF). `ist` 0 keeps the stack (or takes RSP0), 1..7 always switches; `privilege` is the
// least privileged ring that may use INT n on it.
constexpr InterruptGate interrupt_gate(std::uint64_t handler, std::uint16_t code_selector, unsigned ist = 0,
                                       unsigned privilege = 0) {
    constexpr std::uint64_t present = 1ull << 47, interrupt = 0xeull << 40;
    return {(handler & 0xffff) | std::uint64_t(code_selector) << 16 | std::uint64_t(ist) << 32 | interrupt |
                std::uint64_t(privilege) << 45 | present | (handler >> 16 & 0xffff) << 48,
            handler >> 32};
}
static_assert(interrupt_gate(0xffff'ffff'8012'3456, 8, 2, 3).low == 0x8012'ee02'0008'3456);
static_assert(interrupt_gate(0xffff'ffff'8012'3456, 8, 2, 3).high == 0xffff'ffff);

// What LGDT and LIDT load.
struct [[gnu::packed]] TableRegister {
    std::uint16_t limit;
    std::uint64_t base;
};
static_assert(sizeof(TableRegister) == 10);

}  // namespace regs
