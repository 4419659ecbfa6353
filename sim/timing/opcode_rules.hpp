// SPDX-License-Identifier: GPL-2.0-or-later
// What a renamer tells from an instruction's name alone: which ones it does itself, which do not depend on what they
// read, which stand for one operation together. Names are LLVM's opcode names.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <sim/events.hpp>
#include <sim/image/operands.hpp>
#include <span>
#include <string_view>

namespace sim::timing {

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> starts);

// Moves between registers that rename only: 32 and 64-bit general ones, whole vector registers.
bool is_eliminated_move(std::string_view name);
bool is_exchange(std::string_view name);  // of two registers, likewise
// Zeroing by a register with itself.
bool is_zero_idiom(std::string_view name);
// The result is the same whatever the register held that is both operands (but for the carry that SBB reads).
bool breaks_dependency(std::string_view name);
// All general or vector registers that are read are one and the same.
bool same_sources(const Operands&);
// LLVM counts a register as written that the instruction only reads: rax of CQO.
bool leaves_alone(std::string_view name, std::uint8_t unit);
// Moves the stack pointer at rename.
bool uses_stack_engine(std::string_view name);
// Of an instruction with a memory operand: it only loads, or only stores.
bool moves_only(std::string_view name);
// A load, or a load and a store, that memory renaming can follow. `bytes`: of the load; `any`: loads that compute too,
// and short ones that do not extend.
bool renames_load(std::string_view name, bool stores, unsigned bytes, bool any);
// Arithmetic that is one instruction with the move before it that made its register.
bool fuses_with_move(std::string_view name);
// A CMOV whose condition is of two groups of flags: carry or zero with another. `bytes`: the instruction's.
bool has_two_flag_groups(std::string_view name, std::span<const std::uint8_t> bytes);
// Whether a conditional branch behind `compare` is one operation with it.
bool fuses(std::string_view compare, const Instruction&, std::string_view branch);

// The name of a memory operand, for memory renaming: same base, index, scale and displacement. Of rsp the renamer
// follows every change, so its operands are all of one name. 0: a form that is not renamed.
// `any`: of 8 and 16 bits too.
std::uint32_t operand_name(const MemoryOperand&, bool any);
// Which one a MOV to a control register writes. -1: no such MOV.
int control_register(std::string_view name, std::span<const std::uint8_t> bytes);

}  // namespace sim::timing
