// SPDX-License-Identifier: GPL-2.0-or-later
// The classic loops, here and in the model.
#pragma once
#include <devenv/output.hpp>
#include <devenv/validation/loops.hpp>
#include <devenv/view/run_report.hpp>
#include <string>
#include <vector>

namespace devenv {

std::string loops_text(const std::vector<LoopResult>&, const std::string& cpu, const Style&);
// [{"id", "title", "measured", "spread", "exo", "instructions", "error_percent", "ratio_to", "why"}]
Json loops_json(const std::vector<LoopResult>&);

}  // namespace devenv
