// SPDX-License-Identifier: GPL-2.0-or-later
// What a run spent, and on what, by mark and by function, of all CPUs together; the pair of a mark is of one CPU, and
// counts what that CPU spent between them. Kept while events go by, from a live run or from a stored trace.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <sim/image/image.hpp>
#include <sim/timing/model.hpp>
#include <string>
#include <vector>

namespace sim {

using CyclesByWait = std::array<std::uint64_t, wait_count>;
using CyclesByProvenance = std::array<std::uint64_t, provenance_count>;

// What was spent somewhere, and how sure that is.
struct Spending {
    std::uint64_t instructions = 0, cycles = 0;
    std::uint64_t placeholder_cycles = 0;  // the part of `cycles` that rests on estimates and placeholders
    std::uint64_t less = 0, more = 0;      // `cycles` lie between cycles - less and cycles + more, by those estimates
    CyclesByWait by_wait{};                // `cycles` by what they were spent on: a CPI stack, times instructions
    CyclesByProvenance by_provenance{};    // `cycles` by where the number comes from that they rest on
    std::array<std::uint64_t, miss_count> misses{};
    std::uint64_t accesses = 0, branches = 0;  // what data and targets were asked for: misses' denominators

    Spending& operator+=(const Spending&);
    Spending operator-(const Spending& earlier) const;  // of two readings of a running sum
    double guessed_share() const {                      // 0 to 1
        return cycles ? static_cast<double>(placeholder_cycles) / static_cast<double>(cycles) : 0;
    }
};

struct MarkSummary {
    std::string name;
    std::uint64_t count = 0;  // begin/end pairs completed, or hits of a point mark
    // Of the pairs; of a point mark's intervals between hits. min and total are exact; median and p99 too up to 4 Mi
    // samples, beyond which they are of every second, then fourth, ... sample.
    struct Spread {
        std::uint64_t min = 0, median = 0, p99 = 0, total = 0;
    } cycles, instructions;
    std::uint64_t first_index = 0;  // retired instructions at the first begin: tables are in this order
    // Of the sample that is the median of cycles; of several with as many, of the surest.
    std::uint64_t median_less = 0, median_more = 0;
    Spending all{};  // of all pairs or intervals together
};

struct FunctionSummary : Spending {  // exclusive of callees
    std::string name;
    std::uint64_t address = 0;
};

class Profile {
  public:
    virtual ~Profile() = default;
    virtual void on_code(const CodeBlock&) = 0;
    virtual void on_block(const Block&, std::span<const RetireTime>, std::span<const InstructionMisses> = {}) = 0;
    virtual void on_transfer(const Transfer&, RetireTime) = 0;
    virtual std::vector<MarkSummary> marks() const = 0;
    virtual std::vector<FunctionSummary> functions() const = 0;  // by cycles, most first
    virtual Spending total() const = 0;
};
std::unique_ptr<Profile> make_profile(const Image&);

class TraceWriter;

// The sink that a traced run uses: times each block, then profiles and stores it. model is required; profile and
// writer may be null. A full disk ends writing, not the run: the writer reports it at finish().
std::unique_ptr<EventSink> make_pipeline(TimingModel& model, Profile* profile, TraceWriter* writer);
// The same for several CPUs: a model each, by number.
std::unique_ptr<EventSink> make_pipeline(std::vector<TimingModel*> models, Profile* profile, TraceWriter* writer);

}  // namespace sim
