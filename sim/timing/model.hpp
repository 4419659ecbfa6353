// SPDX-License-Identifier: GPL-2.0-or-later
// When would it retire? A timing model turns the event stream into cycles. Integer arithmetic only: the same events
// give the same cycles on any machine.
#pragma once
#include <cstdint>
#include <memory>
#include <sim/events.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sim {

// Where a cost comes from. `placeholder` is a guess: totals say how much of them rests on it.
enum class Provenance : std::uint8_t { measured, published, estimate, placeholder };

struct RetireTime {
    std::uint32_t cycles;  // since the instruction retired before it on this CPU; 0 when they retire together
    std::uint32_t placeholder_cycles;  // the part of `cycles` that rests on placeholders
};

class TimingModel {
  public:
    virtual ~TimingModel() = default;
    virtual std::string name() const = 0;         // "simple"
    virtual std::string cpu() const = 0;          // what it claims to be like
    virtual std::string description() const = 0;  // one honest sentence
    virtual void on_code(const CodeBlock&) = 0;   // prepare costs once
    // Fills one RetireTime for each of the block's `count` retired instructions.
    virtual void run(const Block&, std::span<RetireTime> out) = 0;
    // Cost of an exception or interrupt entry, added before the next instruction.
    virtual RetireTime transfer(const Transfer&) = 0;
    virtual Cycle now() const = 0;  // cycles so far
};

std::unique_ptr<TimingModel> make_simple_model();
std::unique_ptr<TimingModel> make_out_of_order_model();

}  // namespace sim
