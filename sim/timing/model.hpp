// SPDX-License-Identifier: GPL-2.0-or-later
// When would it retire? A timing model turns the event stream into cycles. Integer arithmetic only: the same events
// give the same cycles on any machine.
#pragma once
#include <array>
#include <cstddef>
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
inline constexpr std::size_t wait_count = static_cast<std::size_t>(Wait::count_);

// When things happened to an instruction, in cycles since the start.
struct InstructionTimes {
    Cycle fetch, dispatch, issue, complete, retire;  // issue, complete: of its first and last operation
    Wait wait;                                       // also if it cost nothing, as another instruction was later
    Provenance rests;         // what the number rests on that the wait is made of, where the core knows
    std::uint32_t on;         // dependency, forwarding: how many instructions before it the producer stands; 0: unknown
    std::uint32_t units = 0;  // unit: those that could have done it, a bit each
};

struct RetireTime {
    std::uint32_t cycles = 0;  // since the instruction retired before it on this CPU; 0 when they retire together
    std::uint32_t placeholder_cycles = 0;  // the part of `cycles` that rests on estimates and placeholders
    std::uint32_t less = 0, more = 0;  // by which that part may be shorter or longer: likely less low, high less likely
    Wait wait = Wait::none;            // what `cycles` were spent on
    // Where the number comes from that they rest on, and of that part of them that is a guess (estimate, placeholder).
    // Not in traces.
    Provenance rests = Provenance::measured, guess = Provenance::estimate;

    bool operator==(const RetireTime&) const = default;
};

// What was not where it was looked for first. A line that is on its way already is none of them.
enum class Miss : std::uint8_t {
    l1_code,     // lines of code, as the front end came to them
    l1_data,     // lines that an access asked for
    l2,          // of the two above
    l3,          // of these
    code_tlb,    // translations, in the first level
    data_tlb,    // of one a page of an access
    page_walk,   // translations in neither level
    mispredict,  // branches of all kinds
    count_
};
std::string_view miss_name(Miss);  // "L1D"
inline constexpr std::size_t miss_count = static_cast<std::size_t>(Miss::count_);
using MissCounts = std::array<std::uint32_t, miss_count>;

// Those of an instruction.
struct InstructionMisses {
    static constexpr std::uint32_t before = ~0u;  // it was the last of the block that this CPU executed before
    std::uint32_t instruction;                    // how far into what the block tells
    MissCounts counts;
};

// An instruction that nobody knows the cost of: LLVM's placeholder is taken, or a cycle.
struct UnknownInstruction {
    std::string opcode;  // LLVM's name
    std::uint64_t count = 0;
};

class TimingModel {
  public:
    virtual ~TimingModel() = default;
    virtual std::string name() const = 0;         // "out-of-order"
    virtual std::string cpu() const = 0;          // the CPU's file: "znver4"
    virtual std::string description() const = 0;  // one honest sentence
    virtual void on_code(const CodeBlock&) = 0;   // prepare costs once
    // Fills one RetireTime for each of the block's `count` retired instructions, and InstructionTimes if details are
    // wanted (empty, or as many). Returns what missed, in order of instructions, those without left out; it is valid
    // until the next call.
    virtual std::span<const InstructionMisses> run(const Block&, std::span<RetireTime> out,
                                                   std::span<InstructionTimes> details = {}) = 0;
    // Cost of an exception or interrupt entry, added before the next instruction.
    virtual RetireTime transfer(const Transfer&) = 0;
    virtual void on_control(const Control&) {}                              // flushes TLBs
    virtual Cycle now() const = 0;                                          // cycles so far
    virtual std::vector<UnknownInstruction> unknown() const { return {}; }  // so far, by name
    virtual std::string unit_names(std::uint32_t) const { return ""; }      // of InstructionTimes: "ALU0-3"
};

// One model a CPU; they share what the CPUs share. `cpu`: a file of sim/timing/cpus by name, or the path of another one
// (with a slash or .json). Throws timing::DataError that names the file and the place if there is none or it is
// damaged.
std::vector<std::unique_ptr<TimingModel>> make_models(std::string_view cpu, unsigned cpus);
inline std::unique_ptr<TimingModel> make_model(std::string_view cpu) { return std::move(make_models(cpu, 1).front()); }

inline constexpr std::string_view default_cpu_model = "znver4";

}  // namespace sim
