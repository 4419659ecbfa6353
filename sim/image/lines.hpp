// SPDX-License-Identifier: GPL-2.0-or-later
// Source lines from DWARF. Opening costs nothing: LLVM reads the tables when the first address is asked for, and a
// compilation unit's lines when one of its addresses is.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace sim::detail {

struct SourceLine {
    std::string file;  // as the compiler was given it, without a leading "./"
    std::uint32_t line = 0;
};

class LineTable {
  public:
    explicit LineTable(std::span<const std::uint8_t> elf);  // must outlive the table
    ~LineTable();
    SourceLine find(std::uint64_t virtual_address);  // line 0 if unknown; of the innermost inlined call

  private:
    struct Dwarf;
    std::span<const std::uint8_t> elf_;
    std::unique_ptr<Dwarf> dwarf_;
    bool opened_ = false;
};

}  // namespace sim::detail
