// SPDX-License-Identifier: GPL-2.0-or-later
// LLVM's scheduling data of one CPU (sim/timing/data, written by exo-dump-scheduling), by LLVM's opcode name.
#pragma once
#include <cstdint>
#include <sim/timing/provenance.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
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
    std::uint32_t mask(std::string_view names);   // "ALU0|ALU3"
    std::string text(std::uint32_t units) const;  // of a mask: "ALU0-3"
    const std::vector<std::string>& names() const { return names_; }

  private:
    std::vector<std::string> names_;
};

class Scheduling {
  public:
    Scheduling() = default;  // nothing is known
    // `text`: what `file` holds; it outlives this. Throws DataError naming the line if it is damaged.
    Scheduling(std::string_view text, const std::string& file, UnitNames&);
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
