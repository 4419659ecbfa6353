// SPDX-License-Identifier: GPL-2.0-or-later
// Where the memory operands of a block point while it repeats, without executing it. Nobody says what the registers
// held, so they begin with distinct addresses, far from each other; from there on whatever decides whether two accesses
// meet is followed: moves, sums, shifts, masks, the stack, and what was stored and is loaded again. Every other result
// is one and the same mapped address each time, as it is in code that repeats over the same data. Divisions and the
// zero flag are followed too: the time of the ones and the way of branches hang on values.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/events.hpp>
#include <sim/image/operands.hpp>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sim::timing {

// What an instruction does to the general registers, as far as it is followed. Found once an instruction.
struct Effect {
    enum class Kind : std::uint8_t {
        none,     // leaves them alone, or writes a part that is not followed
        unknown,  // `to` becomes the address that stands for everything unknown
        set,
        add,
        subtract,
        bit_and,
        bit_or,
        bit_xor,
        shift_left,
        shift_right,
        address,   // lea
        load,      // from memory
        store,     // `from` or the immediate, to memory
        push,      // likewise, on the stack
        pop,       // into `to`, if it is a register
        exchange,  // `to` and `from`
        string,    // rsi and rdi go on by `immediate` bytes, rcx times if it repeats
        leave,
        enter_call,  // pushes an address
        compare,     // `to` and `from` or the immediate: flags only
        test,        // likewise
        divide,      // rdx:rax by `from`
    };
    Kind kind = Kind::none;
    std::uint8_t to = no_register, from = no_register;  // from: no_register: the immediate
    std::uint8_t bytes = 8;                             // of the operation: 4 or 8
    std::int64_t immediate = 0;
};

// `name`: LLVM's opcode name.
Effect effect_of(const Instruction&, const Operands&, std::string_view name);

class AddressInterpreter {
  public:
    AddressInterpreter() { reset(); }
    void reset();
    // The accesses of the instruction at hand, in place of what `out` held. Several of the 64 bytes that an access has
    // at most where the operand is larger.
    void accesses(const Instruction&, std::vector<Access>& out) const;
    void execute(const Instruction&, const Effect&);
    std::uint64_t address_of(const MemoryOperand&) const;
    std::uint64_t count() const { return values_[1]; }  // rcx, of a repeated string instruction
    // Whether the last result that set the flags was zero; empty if it is not known.
    std::optional<bool> zero() const { return zero_; }
    // How many bits the quotient of a division has that is about to be executed; empty if its operands are not known.
    std::optional<unsigned> quotient_bits(const Effect&) const;

  private:
    std::uint64_t loaded(std::uint64_t address) const;
    void stored(std::uint64_t address, std::uint64_t value);
    std::uint64_t source(const Effect&) const;
    struct Division {
        std::uint64_t quotient, remainder;
    };
    std::optional<Division> division(const Effect&) const;

    std::array<std::uint64_t, 16> values_{};
    std::optional<bool> zero_;
    std::unordered_map<std::uint64_t, std::uint64_t> memory_;  // words stored, by their address
};

}  // namespace sim::timing
