// SPDX-License-Identifier: GPL-2.0-or-later
// LLVM's scheduling data of one CPU (sim/timing/data, written by exo-dump-scheduling), by LLVM's opcode name.
#pragma once
#include <cstdint>
#include <sim/timing/provenance.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sim::timing {

struct UnitUse {
    std::uint32_t units = 0;   // a bit each, as numbered by UnitNames; any of them
    std::uint16_t cycles = 0;  // of one unit, or so many operations on several
};

struct Cost {
    std::uint16_t uops = 1;
    std::uint16_t latency = 0;  // the longest of the results; with memory: of the whole
    std::uint16_t advance = 0;  // so much later than the address are register sources needed: the load's latency
    std::vector<UnitUse> uses;
    Provenance provenance = Provenance::scheduling;
    std::uint8_t kin = 0;             // costs of the same kin have a shortcut to each other
    std::uint16_t shortcut = 0;       // so many cycles sooner
    std::uint16_t low = 0, high = 0;  // an estimate's range of the latency
    // The latency of a division whose values are known, and of how many bits of its quotient each takes a cycle more.
    // 0: the values do not matter.
    std::uint16_t quotient_latency = 0, quotient_bits = 0;
};

// Execution units by name. Names with '*' are counts (Load*3), not units, and have no number.
class UnitNames {
  public:
    // The number of a unit; new names are added. At most 32.
    unsigned number(std::string_view name);
    std::uint32_t mask(std::string_view names);  // "ALU0|ALU3"
    // From now on a mask of just the units `from` is one of `to`: a CPU with more units than the one that data are of.
    void regroup(std::string_view from, std::string_view to);
    void forget_regrouping() { regrouped_.clear(); }
    std::string text(std::uint32_t units) const;  // of a mask: "ALU0-3"
    const std::vector<std::string>& names() const { return names_; }

  private:
    std::vector<std::string> names_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> regrouped_;
};

class Scheduling {
  public:
    Scheduling() = default;  // nothing is known
    // `text`: what `file` holds; it outlives this. Throws DataError naming the line if it is damaged.
    Scheduling(std::string_view text, const std::string& file, UnitNames&);
    // Data of a CPU with narrower units and quicker vectors as another's: vectors of 64 bytes take vector units half as
    // long where `whole_64_bytes`, and nothing but a move has less than `vector_latency` between vector operations.
    void adapt(std::uint32_t vector_units, bool whole_64_bytes, unsigned vector_latency);
    const Cost* find(std::string_view opcode) const;
    const std::string& origin() const { return origin_; }  // "LLVM 22.1.8, znver4"
    std::size_t opcodes() const { return by_opcode_.size(); }

  private:
    std::string origin_;
    std::vector<Cost> costs_;
    std::unordered_map<std::string_view, std::uint32_t> by_opcode_;  // views into the text
};

// "ALU1|ALU2:1,FP0:2"; uses that no unit stands for (Load*3, LSU*3, FPSt) are left out. Throws DataError.
std::vector<UnitUse> parse_uses(std::string_view text, UnitNames&);

}  // namespace sim::timing
