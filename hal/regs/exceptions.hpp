// SPDX-License-Identifier: MIT
// Exception vectors: names, which push an error code, and what a page fault's error code says (APM2 8.2, 8.4.2).
// constexpr only; builds anywhere.
#pragma once
#include <cstdint>
#include <string_view>

namespace regs {

namespace vector {
inline constexpr unsigned divide = 0, debug = 1, nmi = 2, breakpoint = 3, overflow = 4, bound = 5, invalid_opcode = 6,
                          device_not_available = 7, double_fault = 8, invalid_tss = 10, segment_not_present = 11,
                          stack = 12, general_protection = 13, page_fault = 14, x87 = 16, alignment = 17,
                          machine_check = 18, simd = 19, virtualization = 20, control_protection = 21,
                          first_interrupt = 32, count = 256;
}

constexpr std::string_view exception_name(unsigned number) {
    constexpr std::string_view names[vector::first_interrupt] = {
        "#DE divide error",
        "#DB debug",
        "NMI non-maskable interrupt",
        "#BP breakpoint",
        "#OF overflow",
        "#BR bound range",
        "#UD invalid opcode",
        "#NM device not available",
        "#DF double fault",
        "reserved exception 9",
        "#TS invalid TSS",
        "#NP segment not present",
        "#SS stack fault",
        "#GP general protection",
        "#PF page fault",
        "reserved exception 15",
        "#MF x87 error",
        "#AC alignment check",
        "#MC machine check",
        "#XM SIMD error",
        "#VE virtualization",
        "#CP control protection",
        "reserved exception 22",
        "reserved exception 23",
        "reserved exception 24",
        "reserved exception 25",
        "reserved exception 26",
        "reserved exception 27",
        "#HV hypervisor injection",
        "#VC VMM communication",
        "#SX security",
        "reserved exception 31",
    };
    return number < vector::first_interrupt ? names[number] : std::string_view("interrupt");
}

constexpr bool pushes_error_code(unsigned number) {
    constexpr std::uint32_t mask =
        1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21 | 1u << 29 | 1u << 30;
    return number < vector::first_interrupt && (mask >> number & 1);
}
static_assert(pushes_error_code(vector::page_fault) && !pushes_error_code(vector::breakpoint));

// A page fault's error code.
struct PageFaultCode {
    std::uint64_t bits;
    constexpr bool protection() const { return bits & 1; }  // false: something on the way was not present
    constexpr bool write() const { return bits & 2; }
    constexpr bool user() const { return bits & 4; }
    constexpr bool reserved_bit() const { return bits & 8; }
    constexpr bool fetch() const { return bits & 16; }
};
static_assert(PageFaultCode{7}.user() && PageFaultCode{7}.write() && PageFaultCode{7}.protection());

}  // namespace regs
