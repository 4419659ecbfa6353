// SPDX-License-Identifier: GPL-2.0-or-later
// The model on a block of code alone: how many cycles a repetition takes once it is in full swing, and why. Everything
// is in the L1, every branch is predicted, conditional ones fall through but for those to the next instruction whose
// condition is known, and addresses come from the interpreter of address_interpreter.hpp. A timer serves one thread;
// what it keeps from block to block is bounded.
#pragma once
#include <cstdint>
#include <memory>
#include <sim/image/decoder.hpp>
#include <sim/timing/address_interpreter.hpp>
#include <sim/timing/core.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sim::timing {

// A block that cannot be timed: what is wrong, with the byte offset and the bytes.
struct BlockError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class BlockMode : std::uint8_t {
    unrolled,  // copies behind each other
    loop,      // a fused dec and taken jnz behind the block
};

struct BlockInstruction {
    Instruction instruction;
    Recipe recipe;
    Effect effect;
    std::uint32_t offset = 0;
    bool taken = false;
    bool counter = false;  // not in the block: the loop's own
};

struct RawBlock {
    std::vector<std::uint8_t> bytes;
    std::vector<BlockInstruction> instructions;
};

inline constexpr std::size_t block_bytes_most = 65536;

// What alone would take how long; cycles an iteration.
struct Bound {
    std::string name;    // "dependency chain", "unit group", "dispatch width", "stores", "serialisation", "front end"
    std::string detail;  // which units, how full
    double cycles = 0;
};

struct ChainLink {
    std::uint32_t instruction;  // index in the block
    double cycles;              // an iteration: what it adds to the chain
};

struct BlockAnalysis {
    double cycles = 0;
    std::vector<Bound> bounds;          // the largest first
    bool limited = false;               // the first bound is what the block takes; else several things work together
    double cycles_without_windows = 0;  // not limited: with endless buffers and schedulers
    std::vector<ChainLink> chain;
    std::vector<InstructionTimes> timeline;  // of the last iterations, an element an instruction
    unsigned iterations = 0;                 // in the timeline
};

class BlockTimer {
  public:
    // `cpu`: as load_cpu() takes it. Throws DataError if it cannot be used.
    explicit BlockTimer(std::string_view cpu);
    ~BlockTimer();

    // Throws BlockError. The block can be timed until the next call of read().
    RawBlock read(std::span<const std::uint8_t> bytes, BlockMode);
    double throughput(const RawBlock&) const;
    BlockAnalysis analyse(const RawBlock&, unsigned timeline_iterations) const;
    std::string text(const RawBlock&, const BlockInstruction&, Syntax);
    std::string opcode_name(const BlockInstruction&) const;
    std::span<const Operation> operations(const BlockInstruction&) const;
    std::string unit_names(std::uint32_t units) const;  // of a mask: "ALU0-3"
    std::string cpu() const;

  private:
    struct Data;
    void append(RawBlock&, std::span<const std::uint8_t> bytes, std::size_t offset, const Instruction&, bool counter);
    void append_counter(RawBlock&);
    void follow_values(RawBlock&);
    void set_division(std::span<const std::uint8_t> bytes, BlockInstruction&, unsigned quotient_bits);
    void fuse(std::span<const std::uint8_t> compare_bytes, BlockInstruction& compare,
              std::span<const std::uint8_t> branch_bytes, BlockInstruction& branch, const Operands& branch_operands);
    Recipe recipe(std::span<const std::uint8_t> bytes, const Instruction&, const Operands&, std::string_view name);

    std::unique_ptr<Data> data_;
};

}  // namespace sim::timing
