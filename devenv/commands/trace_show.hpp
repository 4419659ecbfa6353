// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev trace show: a line an instruction.
#pragma once
#include <cstdint>
#include <devenv/exit_status.hpp>
#include <optional>
#include <string>

namespace devenv {

struct ShowOptions {
    std::string file, mark, symbol, syntax = "intel";
    std::uint64_t from = 0;
    std::optional<std::uint64_t> count;
    bool accesses = false, json = false, pipeline = false;
    std::optional<std::uint64_t> warm_up;  // instructions before the first shown; empty: all
};

Exit show_trace(const ShowOptions&);

}  // namespace devenv
