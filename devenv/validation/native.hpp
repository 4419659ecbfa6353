// SPDX-License-Identifier: GPL-2.0-or-later
// Has exo-measure (bench/blocks) time blocks on the CPU that we run on.
#pragma once
#include <devenv/validation/samples.hpp>
#include <functional>
#include <string_view>

namespace devenv {

struct NativeOptions {
    unsigned passes = 6;  // at most; two that agree end it for a block
    std::optional<unsigned> processor;
    std::function<void(std::string_view)> progress = {};  // a line now and then
};

// Fills `measured` and `spread` of all samples that are not excluded, and excludes those that cannot be measured, with
// the reason. `instructions`: of each sample. Blocks for a second a hundred blocks. Throws Failure: missing if
// exo-measure is not built, interrupted.
void measure_natively(std::vector<Sample>&, const std::vector<unsigned>& instructions, const NativeOptions&);

}  // namespace devenv
