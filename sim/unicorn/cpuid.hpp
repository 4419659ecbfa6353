// SPDX-License-Identifier: GPL-2.0-or-later
// What CPUID tells the guest: the engine's own answers for its CPU model, less what it does not run faithfully, plus
// the clock frequencies.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>

namespace sim::unicorn {

struct CpuidResult {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

class CpuidTable {
  public:
    CpuidTable();  // asks a scratch instance; throws EngineError
    // As that CPU of so many sees it: one thread a core, all in one package.
    CpuidResult operator()(std::uint32_t leaf, std::uint32_t subleaf, unsigned cpu = 0, unsigned cpus = 1) const;
    std::string brand() const;

  private:
    std::unordered_map<std::uint64_t, CpuidResult> leaves_;
};

}  // namespace sim::unicorn
