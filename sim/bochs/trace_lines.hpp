// SPDX-License-Identifier: GPL-2.0-or-later
// What Bochs's debugger prints under `trace on` and `trace-mem on`, a line at a time:
//   (0).[765714575] [0x00000020210a] 0008:ffffffff8020210a (unk. ctxt): iret      ; 48cf
//   [CPU0 RD]: LIN 0xffffc90000287fa0 PHY 0x000000143fa0 (len=8, WB): 0x00000000 0x00000202
//   CPU 0: Interrupt 0x0e occurred (error_code=0x0006)
// An instruction is printed before it executes, its accesses after it. RW is the load of a read-modify-write, whose
// store is printed without a linear address. So are the page walks, which are no accesses here.
#pragma once
#include <array>
#include <cstdint>
#include <sim/events.hpp>
#include <string_view>
#include <variant>

namespace sim::bochs {

struct InstructionLine {
    std::uint64_t tick, physical_address, address;
    std::array<std::uint8_t, 15> bytes;
    std::uint8_t length;
    bool long_addresses;  // 16 digits: 64-bit mode
};

struct AccessLine {
    AccessKind kind;
    std::uint8_t size;
    std::uint64_t virtual_address, physical_address;
    std::uint64_t value;  // of 8 bytes and fewer
};

struct ExceptionLine {};  // it is raised; InterruptLine follows if it can be delivered
struct InterruptLine {    // delivery begins: the next accesses are its own
    std::uint8_t vector;
    std::uint32_t error_code;
};
struct BreakpointLine {};
struct OtherLine {};

using TraceLine = std::variant<OtherLine, InstructionLine, AccessLine, ExceptionLine, InterruptLine, BreakpointLine>;

// Without its line end. What is none of these, or damaged, is OtherLine.
TraceLine parse_trace_line(std::string_view);

}  // namespace sim::bochs
