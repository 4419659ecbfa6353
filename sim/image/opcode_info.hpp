// SPDX-License-Identifier: GPL-2.0-or-later
// What LLVM's instruction descriptions leave out or get wrong about an opcode: control flow, system instructions,
// implicit memory operands and operand sizes that the printed text does not show. Found by LLVM's opcode name.
#pragma once
#include <cstdint>
#include <sim/events.hpp>
#include <string_view>

namespace sim::detail {

// Memory that an instruction touches without encoding it, or besides what it encodes.
enum class Implicit : std::uint8_t {
    none,
    push,       // store below rsp; after the encoded operand, if there is one
    pop,        // load at rsp; before the encoded operand, if there is one
    call,       // as push, of 8 bytes in 64-bit mode
    ret,        // as pop, of 8 bytes in 64-bit mode
    push_all,   // store of eight slots below rsp
    pop_all,    // load of eight slots at rsp
    leave,      // load at rbp
    iret,       // load of five slots at rsp (outside 64-bit mode: three)
    far_call,   // store of two slots below rsp, after the encoded far pointer
    far_ret,    // load of two slots at rsp
    movs,       // load at rsi, store at rdi
    cmps,       // load at rsi, load at rdi
    stos,       // store at rdi (also ins)
    lods,       // load at rsi (also outs)
    scas,       // load at rdi
    xlat,       // load at rbx + al: only rbx is told
    mask_move,  // store at rdi
    none_used,  // the encoded operand is an address only: lea, nop, prefetch, invlpg
};

// LLVM marks loads and stores of system instructions unreliably; these override it.
enum class Direction : std::uint8_t { from_llvm, load, store, rmw };

struct OpcodeInfo {
    std::string_view name;  // in the rules: LLVM's opcode name, where '*' stands for anything
    Flow flow = Flow::next;
    Special special = Special::plain;
    Implicit implicit = Implicit::none;
    Direction direction = Direction::from_llvm;
    std::uint16_t size = 0;   // bytes of the encoded operand, or of one implicit slot (in 64-bit mode); 0: as printed
    std::uint16_t reads = 0;  // general registers, besides those that LLVM lists
    std::uint16_t writes = 0;
    bool reads_flags = false;
    bool writes_flags = false;
};

// The first rule that fits the name; one without deviations if none does.
OpcodeInfo opcode_info(std::string_view llvm_name);

// May a LOCK prefix stand before it (with a memory destination)? Everything else is #UD with one (SDM 2A, LOCK).
bool lockable(std::string_view llvm_name);

}  // namespace sim::detail
