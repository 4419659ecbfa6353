// SPDX-License-Identifier: GPL-2.0-or-later
// What a run spent, by mark and by function, of all CPUs together; the pair of a mark is of one CPU, and counts what
// that CPU spent between them. Kept while events go by, from a live run or from a stored trace.
#pragma once
#include <cstdint>
#include <memory>
#include <sim/image/image.hpp>
#include <sim/timing/model.hpp>
#include <string>
#include <vector>

namespace sim {

struct MarkSummary {
    std::string name;
    std::uint64_t count = 0;  // begin/end pairs completed, or hits of a point mark
    // Of the pairs; of a point mark's intervals between hits. min and total are exact; median and p99 too up to 4 Mi
    // samples, beyond which they are of every second, then fourth, ... sample.
    struct Spread {
        std::uint64_t min = 0, median = 0, p99 = 0, total = 0;
    } cycles, instructions;
    std::uint64_t first_index = 0;  // retired instructions at the first begin: tables are in this order
};

struct FunctionSummary {
    std::string name;
    std::uint64_t address = 0;
    std::uint64_t instructions = 0, cycles = 0, placeholder_cycles = 0;  // exclusive of callees
};

class Profile {
  public:
    virtual ~Profile() = default;
    virtual void on_code(const CodeBlock&) = 0;
    virtual void on_block(const Block&, std::span<const RetireTime>) = 0;
    virtual void on_transfer(const Transfer&, RetireTime) = 0;
    virtual std::vector<MarkSummary> marks() const = 0;
    virtual std::vector<FunctionSummary> functions() const = 0;  // by cycles, most first
    virtual std::uint64_t instructions() const = 0;
    virtual Cycle cycles() const = 0;
    virtual Cycle placeholder_cycles() const = 0;
};
std::unique_ptr<Profile> make_profile(const Image&);

class TraceWriter;

// The sink that a traced run uses: times each block, then profiles and stores it. model is required; profile and
// writer may be null. A full disk ends writing, not the run: the writer reports it at finish().
std::unique_ptr<EventSink> make_pipeline(TimingModel& model, Profile* profile, TraceWriter* writer);
// The same for several CPUs: a model each, by number.
std::unique_ptr<EventSink> make_pipeline(std::vector<TimingModel*> models, Profile* profile, TraceWriter* writer);

}  // namespace sim
