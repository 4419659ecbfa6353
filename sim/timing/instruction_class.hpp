// SPDX-License-Identifier: GPL-2.0-or-later
// Coarse classes of ordinary instructions, told from their bytes: what a simple timing model needs beside operands,
// with no dependence on a disassembler's version. Decoded once a static instruction.
#pragma once
#include <cstdint>
#include <sim/events.hpp>
#include <span>

namespace sim {

enum class InstructionClass : std::uint8_t {
    nop,
    move,         // register to register, eliminated at rename: no latency
    zero_idiom,   // xor or sub of a register with itself: depends on nothing
    load_store,   // mov to or from memory: the access is the cost
    alu,          // one cycle
    shift,        // one cycle on fewer units: shifts, rotates, cmov, setcc
    lea_complex,  // three address parts
    multiply,     // also crc32, pdep, pext
    divide32,
    divide64,
    double_shift,
    bit_memory_read,   // bt with memory and register
    bit_memory_write,  // bts, btr, btc with memory and register
    cmpxchg,
    cmpxchg16b,
    xadd,
    xchg_memory,
    locked_other,  // lock add and the like
    stack,         // push, pop: the stack engine moves rsp
    control,       // jumps, calls, returns
    vector,        // SSE; dependencies between vector registers are not tracked
    vector_divide,
    unknown,  // x87, VEX and whatever is not listed here: its cost is a guess
    count_
};

// `bytes` are the instruction's own. Prefixes that do not change the class are skipped.
InstructionClass classify(std::span<const std::uint8_t> bytes, const Instruction&);

}  // namespace sim
