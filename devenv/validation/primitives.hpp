// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's primitives on the host backend: what they take natively, and what the timing model says of the very same
// machine code, traced as it runs.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace devenv {

struct Primitive {
    std::string id, title;
    double measured = 0;      // core cycles an operation: the median of the batches
    double least = 0;         // the best batch's
    double modelled = 0;      // cycles an operation; 0: not modelled
    double instructions = 0;  // an operation
    std::string excluded;     // why it is not compared
};

// Runs the native benchmarks, or the one with the id `only`, and traces each for the model of `cpu` (empty: no model).
// Blocks for half a minute. Throws Failure: missing if they are not built, usage for an unknown id, interrupted.
std::vector<Primitive> measure_primitives(const std::string& cpu, const std::string& only);

}  // namespace devenv
