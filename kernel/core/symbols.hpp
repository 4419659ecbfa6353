// SPDX-License-Identifier: MIT
// Names for kernel addresses, from the table that the second link step puts into .ksyms (core/ksyms.awk).
#pragma once
#include <cstdint>
#include <string_view>

namespace exo {

struct Symbol {
    std::string_view name;  // empty: unknown
    std::uint64_t offset = 0;
};
Symbol symbol_at(std::uintptr_t address);

}  // namespace exo
