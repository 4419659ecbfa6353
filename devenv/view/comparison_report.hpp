// SPDX-License-Identifier: GPL-2.0-or-later
// A Comparison as tables and as JSON.
#pragma once
#include <devenv/comparison.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/style.hpp>
#include <string>
#include <vector>

namespace devenv {

struct ComparisonLabels {
    std::string before, after;        // what was compared
    std::vector<std::string> slower;  // marks beyond the threshold
    std::size_t top = 15;             // functions in the table
};

std::string comparison_text(const Comparison&, const ComparisonLabels&, const Style&);
Json comparison_json(const Comparison&, const ComparisonLabels&);

}  // namespace devenv
