// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev time --batch: a block a line, as many as there are. Lines are read as they come and answered in their order;
// a bad one is reported and skipped. Memory does not grow with the number of lines, nor with the length of one.
#pragma once
#include <devenv/exit_status.hpp>
#include <sim/timing/block_run.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

// Pairs of hexadecimal digits, with or without 0x in front and spaces between pairs. Throws sim::timing::BlockError
// that names the character.
std::vector<std::uint8_t> parse_block(std::string_view hex);

struct BatchOptions {
    std::string file;  // "-": standard input
    std::string cpu;
    sim::timing::BlockMode mode = sim::timing::BlockMode::unrolled;
    bool json = false;  // a JSON document a line
};

// Exit::difference if a line was skipped.
Exit time_batch(const BatchOptions&);

}  // namespace devenv
