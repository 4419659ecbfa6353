// SPDX-License-Identifier: GPL-2.0-or-later
// A third engine, which cannot be led instruction by instruction, is compared with lockstep's two at the marks of the
// image. Nothing is imposed on it: its interrupts, time and devices are its own, and a boot loader has put the kernel
// into memory. Compared are
// - the order of the marks, the first occurrences of each;
// - at each stop the CPU's state, less what mark_differences() explains;
// - the number of instructions since the stop before, where it is the same each time in either engine, at least twice,
//   no external interrupt fell in between and nothing was read from outside. (Elsewhere it hangs on time and on
//   which memory is free.)
#pragma once
#include <map>
#include <optional>
#include <set>
#include <sim/lockstep/known_differences.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/mark_stop.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sim::lockstep {

// What lockstep's two engines, which agree, did from mark to mark.
class MarkLog {
  public:
    MarkLog(std::set<std::uint64_t> addresses, unsigned each) : addresses_(std::move(addresses)), each_(each) {}

    // Both engines are in this state. Whether it is a stop: then note() follows.
    bool before(const ArchitecturalState&, bool repeated);
    void note(const std::set<std::uint64_t>& handlers);  // where the gates of external interrupts lead
    void executes(const Instruction&);
    void input() { ++inputs_; }
    void interrupted(std::uint64_t handler) { deliveries_.push_back(handler); }

    // Forgets the stops at other addresses: what happened before them belongs to the next that stays.
    void keep(const std::set<std::uint64_t>& addresses);

    const std::vector<MarkStop>& stops() const { return stops_; }
    const std::set<std::uint64_t>& interrupt_handlers() const { return handlers_; }

  private:
    struct Undecided {
        std::size_t stop;
        std::uint16_t registers;
    };
    std::set<std::uint64_t> addresses_;
    unsigned each_;
    std::map<std::uint64_t, unsigned> seen_;
    std::vector<MarkStop> stops_;
    std::vector<Undecided> undecided_;
    std::set<std::uint64_t> handlers_;
    std::vector<std::uint64_t> deliveries_;
    std::uint64_t ticks_ = 0, inputs_ = 0;
};

using LoaderValues = std::set<std::pair<std::string, std::pair<std::uint64_t, std::uint64_t>>>;
struct MarkContext {
    const MarkStop& pair;
    std::uint64_t first_tick, tick;   // the third engine's time stamp at the first stop and now
    const LoaderValues& from_loader;  // what differed at the first stop
};

// What the third engine may have otherwise at a mark. The first entry that holds for a field explains it.
struct MarkDifference {
    std::string_view id, what, recognised, reason;
    Fault fault;
    bool (*field)(const Field&, const MarkContext&);
};
std::span<const MarkDifference> mark_differences();

struct MarkMismatch {
    std::size_t number;  // of the stop, from 1
    std::string what;
    std::vector<Field> fields;                    // leader: lockstep's two; follower: the third
    std::optional<MarkStop> pair, third, before;  // `before`: the last stop that was equal
};

struct MarksResult {
    std::uint64_t stops = 0, values = 0;         // compared
    std::uint64_t counts = 0, counts_left = 0;   // stretches between stops whose instructions were compared, or not
    std::uint64_t instructions = 0;              // in those that were
    std::map<std::string, std::uint64_t> known;  // values explained, by id
    std::optional<MarkMismatch> mismatch;        // the first
};

// `cut`: lockstep's run was ended early: the third may have gone on.
MarksResult compare_marks(const MarkLog& pair, std::span<const MarkStop> third, bool cut);

}  // namespace sim::lockstep
