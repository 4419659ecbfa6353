// SPDX-License-Identifier: GPL-2.0-or-later
// Which function holds an address: disjoint ranges, sorted, from the symbol tables of one or more ELF files.
#pragma once
#include <cstdint>
#include <optional>
#include <sim/image/elf.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sim::detail {

// A C++ name without its parameter list, template arguments cut short: what fits a table. Other names as they are.
std::string short_name(std::string_view symbol);

class SymbolTable {
  public:
    struct Range {
        std::uint64_t start;  // of this range: a function may have several, around one nested in it
        std::uint64_t end;
        std::uint64_t function;  // the function's start
        std::string_view symbol;
        std::string_view program;  // empty for the kernel
    };

    // `program` is empty for the kernel. Strings must outlive the table. Call `finish` after the last.
    void add(const ElfFile&, std::string_view program);
    void finish();

    const Range* find(std::uint64_t address) const;  // null if no function holds it
    std::optional<std::uint64_t> address(std::string_view name) const;

  private:
    std::vector<Range> ranges_;
    std::unordered_map<std::string_view, std::uint64_t> by_name_;           // as in the symbol table
    mutable std::unordered_map<std::string, std::uint64_t> by_short_name_;  // filled at the first miss
};

}  // namespace sim::detail
