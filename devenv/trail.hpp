// SPDX-License-Identifier: GPL-2.0-or-later
// The last blocks of a run, so that a run which was cut short can say where it was: the way a flight recorder does.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/events.hpp>
#include <span>
#include <vector>

namespace devenv {

class Trail final : public sim::EventSink {
  public:
    explicit Trail(sim::EventSink& next) : next_(next) {}  // passes everything on

    void on_code(const sim::CodeBlock& code) override { next_.on_code(code); }
    void on_block(const sim::Block& block) override {
        steps_[blocks_++ % steps_.size()] = {block.code, block.first, block.count, block.first_index};
        next_.on_block(block);
    }
    void on_input(const sim::Input& input) override { next_.on_input(input); }
    void on_control(const sim::Control& control) override { next_.on_control(control); }
    void on_transfer(const sim::Transfer& transfer) override { next_.on_transfer(transfer); }
    void on_halt(const sim::Halt& halt) override { next_.on_halt(halt); }

    struct Spot {
        std::uint64_t address;
        std::vector<std::uint8_t> bytes;  // of the instruction
        std::uint64_t times;              // seen in the window; 1 in last()
        sim::InstructionIndex index;      // of the latest
        unsigned code_bits;               // 16, 32 or 64
    };
    std::vector<Spot> last(std::size_t count) const;     // the last instructions, oldest first
    std::vector<Spot> hottest(std::size_t count) const;  // of the recent window, most often first
    // Instructions of one pass of the loop that is all of the recent window; empty if the window is not full of one
    // loop.
    std::optional<std::uint64_t> loop_instructions() const;
    std::uint64_t window_instructions() const;  // how much of the run hottest() looked at

  private:
    struct Step {
        const sim::CodeBlock* code;
        std::uint32_t first, count;
        sim::InstructionIndex first_index;
    };
    static Spot spot(const Step&, std::uint32_t instruction, std::uint64_t times);
    template <typename Visit>
    void each(Visit) const;  // newest step first

    sim::EventSink& next_;
    std::array<Step, 4096> steps_{};
    std::uint64_t blocks_ = 0;
};

}  // namespace devenv
