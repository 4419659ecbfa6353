// SPDX-License-Identifier: GPL-2.0-or-later
// llvm-mca beside our model: all blocks as regions of one input, run with two numbers of iterations; the slope between
// them leaves out how the pipeline fills.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace devenv {

struct McaAnswer {
    std::string version;         // "22.1.8"
    std::string missing;         // why there is no answer: not installed, another version, it failed
    std::vector<double> cycles;  // an iteration, by block; 0: it refused the block
};

// `blocks`: AT&T assembly, an instruction a line; empty ones are passed over. `cpu`: LLVM's name. Blocks for seconds;
// throws Failure (interrupted) only.
McaAnswer ask_llvm_mca(const std::vector<std::vector<std::string>>& blocks, const std::string& cpu);

}  // namespace devenv
