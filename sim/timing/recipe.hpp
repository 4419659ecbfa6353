// SPDX-License-Identifier: GPL-2.0-or-later
// What a static instruction is to the core: the operations it is split into, with their units, latencies, sources and
// results. Made once an instruction, from LLVM's scheduling data and the overlay's corrections.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/events.hpp>
#include <sim/image/operands.hpp>
#include <sim/timing/cpu.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace sim::timing {

// Beyond the units of operands.hpp: values between the operations of one instruction, and what is always ready.
namespace value {
inline constexpr std::uint8_t loaded = unit::count, computed = unit::count + 1, always = unit::count + 2,
                              nowhere = unit::count + 3, count = unit::count + 4;
}

enum class OperationKind : std::uint8_t { compute, load, store_address, store_data };

struct Operation {
    OperationKind kind = OperationKind::compute;
    bool vector = false;  // of the vector scheduler
    std::uint8_t source_count = 0, result_count = 0;
    Provenance rests{};  // what latency and units rest on
    std::uint16_t latency = 0, busy = 1;
    std::uint32_t units = 0;             // any of these; 0: none
    std::uint8_t kin = 0, shortcut = 0;  // so many cycles sooner from one operation of its kin to another; 0: of none
    std::array<std::uint8_t, 8> sources{};
    std::array<std::uint8_t, 6> results{};
};

enum class RecipeKind : std::uint8_t {
    ordinary,
    nop,
    move,      // eliminated: the destination is another name of the source
    exchange,  // two of them
    idiom,     // the result depends on nothing
};

struct Recipe {
    RecipeKind kind = RecipeKind::ordinary;
    std::uint8_t half_slots = 2;  // of dispatch
    std::uint8_t operations = 0;
    bool fused = false;         // with the compare or move before it: no slot of its own
    bool stack_engine = false;  // moves rsp at rename
    bool stack_sync = false;    // reads rsp explicitly: a stack engine that has moved it inserts an operation
    bool locked = false;
    bool nontemporal = false;  // a store past the caches
    bool branch = false;
    bool known = true;  // false: nobody knows its cost
    std::uint8_t load_bytes = 0, store_bytes = 0;
    bool vector_load = false, vector_store = false;
    std::uint8_t from = value::nowhere, to = value::nowhere;     // of a move or exchange
    std::uint32_t first = 0;                                     // of its operations, in RecipeBook::operations
    std::uint8_t base = value::nowhere, index = value::nowhere;  // of the memory operand
    bool stack_written = false;
    std::uint8_t locked_cycles = 0;
    std::uint16_t latency = 0;
    std::uint32_t load_name = 0, store_name = 0;  // of the memory operand, for renaming; 0: not renamed
    // Of an estimated or unknown cost: what of its latency rests on a guess, and how much less or more it may be.
    std::uint16_t guessed = 0, less = 0, more = 0;
    const SystemCost* system = nullptr;  // a total, instead of operations
    const StringCost* string = nullptr;
};

class RecipeBook {
  public:
    explicit RecipeBook(const Cpu&);  // which outlives it and its recipes

    // `name`: LLVM's opcode name; `bytes`: the instruction's, of which a move to a control register needs them.
    // `quotient_bits`: of a division whose values are known.
    Recipe make(const Instruction&, const Operands&, std::string_view name, std::span<const std::uint8_t> bytes,
                std::optional<unsigned> quotient_bits = {});
    // `next`, named so, stands behind `move`: a move and arithmetic on what it has made take one slot together.
    void fuse_move(const Recipe& move, std::string_view name, const Operands&, Recipe& next) const;

    // Makes the two one operation on a branch unit.
    void fuse(const Recipe& compare, Recipe& branch);

    const std::vector<Operation>& operations() const { return operations_; }

  private:
    struct Parts;
    const Cost* cost(std::string_view name) const;
    const Cost* register_form(std::string_view name) const;
    void choose_cost(const Cost* own, bool is_total, Parts&, Recipe&) const;
    bool make_renamed(const Parts&, Recipe&);
    void add_flags(Parts&, Recipe&);
    void make_lea(const MemoryOperand& address, const Parts&, Recipe&);
    void make_leave(const Parts&, Recipe&);
    void make_ordinary(Parts&, Recipe&);
    static void add_address(const Parts&, const MemoryOperand&, Operation&);
    void add_load(const Parts&, Recipe&);
    void add_compute(const Parts&, Recipe&);
    void add_store(const Parts&, Recipe&);
    void add_guess(const Cost*, Recipe&) const;

    const Cpu& cpu_;
    const Machine machine_;
    std::vector<Operation> operations_;
};

}  // namespace sim::timing
