// SPDX-License-Identifier: GPL-2.0-or-later
// Collects what one block's instructions did and hands it to the sink a piece at a time.
//
// The accesses of an instruction are noted before it executes. `commit` marks how many of them belong to what has
// retired; the rest is dropped if the instruction faults, and kept back if a piece must be handed over before it ends.
#pragma once
#include <array>
#include <cstdint>
#include <sim/events.hpp>
#include <sim/unicorn/code_cache.hpp>

namespace sim::unicorn {

class Recorder {
  public:
    Recorder(EventSink* sink, std::uint32_t cpu) : sink_(sink), cpu_(cpu) {}

    void begin(CachedBlock* block, unsigned index, InstructionIndex retired) {
        block_ = block;
        first_ = index;
        first_index_ = retired;
        committed_ = count_ = 0;
        if (sink_ && !block->announced) {
            block->announced = true;
            sink_->on_code(block->code);
        }
    }

    // One more access of the instruction at hand; there is always room for one instruction's.
    void add(const Access& access) { accesses_[count_++] = access; }
    void commit() { committed_ = count_; }
    void drop() { count_ = committed_; }
    bool crowded() const { return count_ > accesses_.size() - most_of_one_instruction; }
    // Joins the accesses of one iteration of a string instruction to those of the iteration before, line by line.
    void merge_iteration();

    // What has retired since the last piece, and what is committed beyond that.
    void flush(bool taken, InstructionIndex retired);

    // Other CPUs have retired instructions since the last piece, which is handed over: numbers go on after theirs.
    void skip(InstructionIndex others) { first_index_ += others; }

    CachedBlock* block() const { return block_; }

  private:
    static constexpr unsigned most_of_one_instruction = 256;  // an 8 KiB XSAVE area by 64-byte lines, twice
    EventSink* sink_;
    std::uint32_t cpu_;
    CachedBlock* block_ = nullptr;
    unsigned first_ = 0;
    InstructionIndex first_index_ = 0;
    unsigned committed_ = 0, count_ = 0;
    std::array<Access, 4096> accesses_;
};

}  // namespace sim::unicorn
