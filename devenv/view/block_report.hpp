// SPDX-License-Identifier: GPL-2.0-or-later
// What exo-dev time says about one block: cycles, what limits it, a table of its instructions, and when each of them
// was where in the pipeline.
#pragma once
#include <devenv/view/run_report.hpp>
#include <devenv/view/style.hpp>
#include <functional>
#include <sim/image/decoder.hpp>
#include <sim/timing/block_run.hpp>
#include <string>
#include <vector>

namespace devenv {

struct BlockReport {
    std::string cpu;
    std::string source;  // what the block is: "" or "kernel.elf, exo::yield"
    sim::timing::BlockMode mode;
    const sim::timing::RawBlock& block;
    const sim::timing::BlockAnalysis& analysis;
    struct Line {
        std::string text, opcode, units;
        double cycles_on_chain;  // negative: it is not on it
    };
    std::vector<Line> lines;  // one an instruction
    std::function<std::string(std::uint32_t)> unit_names;
};

BlockReport make_block_report(sim::timing::BlockTimer&, const sim::timing::RawBlock&, const sim::timing::BlockAnalysis&,
                              sim::timing::BlockMode, sim::Syntax);
std::string block_text(const BlockReport&, const Style&);
Json block_json(const BlockReport&);

// What limits the block, in a line: "unit group (ALU1)".
std::string bottleneck_text(const sim::timing::BlockAnalysis&);

}  // namespace devenv
