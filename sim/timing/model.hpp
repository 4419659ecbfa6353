// SPDX-License-Identifier: GPL-2.0-or-later
// When would it retire? A timing model turns the event stream into cycles. Integer arithmetic only: the same events
// give the same cycles on any machine.
#pragma once
#include <cstdint>
#include <memory>
#include <sim/events.hpp>
#include <sim/timing/provenance.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim {

// What held an instruction back: the one thing that came last.
enum class Wait : std::uint8_t {
    none,        // it went through at the width of the core
    front_end,   // code was not there in time: L1I, decoding, a taken branch
    mispredict,  // the front end had gone the wrong way
    window,      // reorder buffer, scheduler, load or store queue were full
    dependency,  // on the result of an earlier instruction
    unit,        // all units that can do it were taken
    forwarding,  // a load on an earlier store's data
    l2,          // data came from there, and so on
    l3,
    memory,
    tlb,
    coherence,      // a line came from another CPU's cache
    serialisation,  // it drains, or waited for one that does
    device,
    count_
};
std::string_view wait_name(Wait);

// When things happened to an instruction, in cycles since the start.
struct InstructionTimes {
    Cycle fetch, dispatch, issue, complete, retire;  // issue, complete: of its first and last operation
    Wait wait;                                       // also if it cost nothing, as another instruction was later
    std::uint32_t on;  // dependency, forwarding: how many instructions before it the producer stands; 0: unknown
};

struct RetireTime {
    std::uint32_t cycles = 0;  // since the instruction retired before it on this CPU; 0 when they retire together
    std::uint32_t placeholder_cycles = 0;  // the part of `cycles` that rests on estimates and placeholders
    std::uint32_t less = 0, more = 0;  // by which that part may be shorter or longer: likely less low, high less likely
    Wait wait = Wait::none;            // what `cycles` were spent on

    bool operator==(const RetireTime&) const = default;
};

class TimingModel {
  public:
    virtual ~TimingModel() = default;
    virtual std::string name() const = 0;         // "out-of-order"
    virtual std::string cpu() const = 0;          // the CPU's file: "znver4"
    virtual std::string description() const = 0;  // one honest sentence
    virtual void on_code(const CodeBlock&) = 0;   // prepare costs once
    // Fills one RetireTime for each of the block's `count` retired instructions, and InstructionTimes if details are
    // wanted (empty, or as many).
    virtual void run(const Block&, std::span<RetireTime> out, std::span<InstructionTimes> details = {}) = 0;
    // Cost of an exception or interrupt entry, added before the next instruction.
    virtual RetireTime transfer(const Transfer&) = 0;
    virtual void on_control(const Control&) {}  // flushes TLBs
    virtual Cycle now() const = 0;              // cycles so far
};

// One model a CPU; they share what the CPUs share. `cpu`: a file of sim/timing/cpus by name, or the path of another one
// (with a slash or .json). Throws timing::DataError that names the file and the place if there is none or it is
// damaged.
std::vector<std::unique_ptr<TimingModel>> make_models(std::string_view cpu, unsigned cpus);
inline std::unique_ptr<TimingModel> make_model(std::string_view cpu) { return std::move(make_models(cpu, 1).front()); }

inline constexpr std::string_view default_cpu_model = "znver4";

}  // namespace sim
