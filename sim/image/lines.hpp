// SPDX-License-Identifier: GPL-2.0-or-later
// Source lines from DWARF's line programs, which libdw reads when the first address is asked for. Why libdw and why it
// is handed a file of our own making: docs/adr/0007-dwarf.md.
#pragma once
#include <cstdint>
#include <sim/image/elf.hpp>
#include <string>
#include <vector>

namespace sim::detail {

struct SourceLine {
    std::string file;  // as the compiler was given it, without a leading "./"
    std::uint32_t line = 0;
};

class LineTable {
  public:
    explicit LineTable(const ElfFile& elf) : elf_(elf) {}  // must outlive the table
    SourceLine find(std::uint64_t virtual_address);        // line 0 if unknown; of the innermost inlined call

  private:
    struct Row {
        std::uint64_t start, end;
        std::uint32_t file, line;
    };
    void read();

    const ElfFile& elf_;
    bool read_ = false;
    std::vector<Row> rows_;  // by start
    std::vector<std::string> files_;
};

}  // namespace sim::detail
