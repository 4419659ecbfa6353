// SPDX-License-Identifier: GPL-2.0-or-later
// What encoder and decoder of an events chunk both predict from, and update alike: which block follows which, what a
// block accessed last time and in which strides, how its cycles were, which page lies where. Forgotten at each chunk's
// start, so that chunks can be read alone.
#pragma once
#include <array>
#include <cstdint>
#include <sim/events.hpp>
#include <sim/trace/format.hpp>
#include <vector>

namespace sim::format {

enum class Token : std::uint8_t { block, input, control, transfer, halt, cpu, index };  // low three bits of a token

// Upper bits of a block's token.
inline constexpr std::uint8_t token_mask = 7, explicit_id = 1 << 3, taken = 1 << 4, partial = 1 << 5,
                              explicit_shape = 1 << 6, explicit_cycles = 1 << 7;

// In the address stream: 0 as predicted; 1 both addresses follow; n >= 2: zigzag difference n - 1, page as predicted.
inline constexpr std::uint64_t address_predicted = 0, address_escape = 1;

// In the cycle stream: one byte an instruction. 0: no cycle of its own; up to 240: 1 to 15 cycles and their cause, none
// of them guessed; the escape: everything follows.
inline constexpr std::uint8_t cycles_escape = 0xff;
inline constexpr std::uint32_t short_cycles = 15, wait_radix = 16;
static_assert(static_cast<std::uint32_t>(Wait::count_) <= wait_radix);

// What an access is, without its addresses.
using Shape = std::uint64_t;
inline Shape shape_of(const Access& a) {
    return a.instruction | std::uint64_t{static_cast<std::uint8_t>(a.kind)} << 16 | std::uint64_t{a.size} << 24 |
           std::uint64_t{a.io} << 32;
}
inline Access access_of(Shape shape) {
    return {static_cast<std::uint16_t>(shape),
            static_cast<AccessKind>(shape >> 16 & 0xff),
            static_cast<std::uint8_t>(shape >> 24),
            (shape >> 32 & 1) != 0,
            0,
            0};
}

struct Stride {
    std::uint64_t last = 0, stride = 0;
    std::uint64_t predicted() const { return last + stride; }
    void update(std::uint64_t address) {
        stride = address - last;
        last = address;
    }
};

struct BlockState {
    std::uint32_t generation = 0;
    CodeId next[2] = {0, 0};  // what followed it last time, not taken and taken
    std::vector<Shape> shape;
    std::vector<Stride> strides;    // by place in the shape
    std::vector<RetireTime> times;  // of all its instructions; empty: none yet
};

class PageMap {
  public:
    void clear() { entries_.fill({}); }
    bool knows(std::uint64_t virtual_address, std::uint64_t physical_address) const {
        const Entry& e = entry(virtual_address);
        return e.page == virtual_address >> 12 && e.offset == physical_address - virtual_address;
    }
    // The physical address by what is known: valid only if the encoder said so.
    std::uint64_t translate(std::uint64_t virtual_address) const {
        return virtual_address + entry(virtual_address).offset;
    }
    void learn(std::uint64_t virtual_address, std::uint64_t physical_address) {
        entries_[slot(virtual_address)] = {virtual_address >> 12, physical_address - virtual_address};
    }

  private:
    struct Entry {
        std::uint64_t page = ~0ull, offset = 0;
    };
    static std::size_t slot(std::uint64_t address) { return (address >> 12 ^ address >> 22) % 1024; }
    const Entry& entry(std::uint64_t address) const { return entries_[slot(address)]; }
    std::array<Entry, 1024> entries_{};
};

class EventState {
  public:
    InstructionIndex index = 0;  // instructions retired so far
    std::uint32_t cpu = 0;
    CodeId previous = 0;
    bool previous_taken = false;
    PageMap pages;

    void reset(InstructionIndex at) {
        index = at;
        cpu = 0;
        previous = 0;
        previous_taken = false;
        pages.clear();
        ++generation_;
    }
    BlockState& block(CodeId id) {
        if (id >= blocks_.size()) blocks_.resize(std::size_t{id} + 1 + id / 2);
        BlockState& state = blocks_[id];
        if (state.generation != generation_) [[unlikely]] {
            state = {};
            state.generation = generation_;
        }
        return state;
    }
    CodeId predicted() { return block(previous).next[previous_taken]; }
    void follow(CodeId id, bool was_taken) {
        block(previous).next[previous_taken] = id;
        previous = id;
        previous_taken = was_taken;
    }

  private:
    std::uint32_t generation_ = 1;
    std::vector<BlockState> blocks_;
};

}  // namespace sim::format
