// SPDX-License-Identifier: GPL-2.0-or-later
// What LLVM's scheduling data lacks or gets wrong, read from sim/timing/data/NAME.overlay.json: costs of ordinary
// instructions, of system instructions and events as totals with a range, and of string instructions by length. Each
// entry says where it comes from.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <sim/events.hpp>
#include <sim/timing/provenance.hpp>
#include <sim/timing/scheduling.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sim::timing {

// Cycles in all: likely is what is added up; low and high what a total's range is made of.
struct Range {
    std::uint32_t low = 0, likely = 0, high = 0;
};

enum class SystemEvent : std::uint8_t { exception_entry, interrupt_entry, software_entry, device_access, count_ };

struct SystemCost {
    std::string name;                  // of the Special or SystemEvent, as the file has it
    Special special = Special::plain;  // plain: an event
    SystemEvent event = SystemEvent::count_;
    std::vector<std::string> opcodes;  // LLVM's names with '*'; empty: all others of that name
    int control_register = -1;         // -1: any
    Range cycles;
    bool drains = false;         // everything before it retires first, and nothing after it starts before its end;
                                 // else it keeps the front end busy for its time
    std::uint32_t latency = 0;   // when its results are there, if that is later; 0: it is not
    std::uint32_t modified = 0;  // cycles where the line was written before; 0: that does not matter
    Evidence evidence;
};

// Cycles of a string instruction by the bytes that it went over, all of them in the L1.
struct StringCost {
    std::vector<std::string> opcodes;
    bool rep = false;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> points;  // bytes, cycles; ascending
    std::uint32_t low_percent = 100, high_percent = 100;
    Evidence evidence;

    // Between points a straight line, beyond the last one its rate.
    Range cycles(std::uint64_t bytes) const;
};

struct InstructionCost {
    std::vector<std::string> opcodes;
    Cost cost;
    Evidence evidence;
};

struct Measurements {
    std::string tool, machine, date, spread;
};

// '*' stands for anything, any number of times.
bool glob_matches(std::string_view glob, std::string_view text);

// Special::mov_to_cr is "mov_to_cr"; those that have no cost (plain, nop, string, unsupported) have no name.
std::string_view special_name(Special);

class Overlay {
  public:
    // Adds a file's entries; they go before those of files read earlier. `of_another`: what CPU they are of, if it is
    // another one; then what was measured is an estimate. Throws DataError.
    void read(std::string_view text, const std::string& file, UnitNames&, const std::string& of_another = "");

    const Cost* find(std::string_view opcode) const;  // null: LLVM's holds
    // Of an instruction that has a special_name. Never null once finish() has passed.
    const SystemCost* system(Special, std::string_view opcode, int control_register = -1) const;
    const SystemCost& event(SystemEvent) const;
    const StringCost* string(std::string_view opcode, bool rep) const;

    // Throws DataError if a Special, an event or a string instruction has no cost.
    void finish(const std::string& file) const;

    const std::deque<InstructionCost>& instructions() const { return instructions_; }
    const std::deque<SystemCost>& systems() const { return systems_; }
    const std::deque<StringCost>& strings() const { return strings_; }
    const std::map<std::string, Measurements>& measurements() const { return measurements_; }
    const std::vector<std::string>& files() const { return files_; }
    ProvenanceCounts counts() const;

  private:
    void read_instruction(class ObjectReader&, UnitNames&);
    void read_system(class ObjectReader&);
    void read_string(class ObjectReader&);
    Evidence evidence_of(class ObjectReader&) const;
    Range range_of(const Range&, const Evidence&) const;

    // The newest first, so that what is read later holds.
    std::deque<InstructionCost> instructions_;
    std::unordered_map<std::string_view, const Cost*> by_opcode_;  // names without '*'
    std::vector<std::pair<std::string_view, const Cost*>> by_glob_;
    std::deque<SystemCost> systems_;
    std::deque<StringCost> strings_;
    std::map<std::string, Measurements> measurements_;
    std::vector<std::string> files_;
    std::uint8_t next_kin_ = 0;
    std::string of_another_;  // of the file that is being read
};

}  // namespace sim::timing
