// SPDX-License-Identifier: GPL-2.0-or-later
// What exceptions and descriptors are, as far as both ways of delivery need it.
#pragma once
#include <cstdint>

namespace sim::unicorn {

enum Vector : std::uint8_t {
    divide_error = 0,
    debug = 1,
    invalid_opcode = 6,
    double_fault = 8,
    invalid_tss = 10,
    segment_not_present = 11,
    stack_fault = 12,
    general_protection = 13,
    page_fault = 14,
    alignment_check = 17,
    exceptions = 32
};

inline bool has_error_code(unsigned vector) {
    return vector == double_fault || (vector >= invalid_tss && vector <= page_fault) || vector == alignment_check;
}
constexpr unsigned interrupt_gate = 0xe, trap_gate = 0xf;  // of 32 or 64 bits

struct CodeDescriptor {
    std::uint64_t value;
    bool code() const { return (value >> 43 & 3) == 3; }  // S and executable
    bool conforming() const { return value >> 42 & 1; }
    unsigned privilege() const { return value >> 45 & 3; }
    bool present() const { return value >> 47 & 1; }
    bool code64() const { return (value >> 53 & 3) == 1; }  // L and not D
};

constexpr std::uint32_t error_idt = 2, error_external = 1;  // in a selector's error code

}  // namespace sim::unicorn
