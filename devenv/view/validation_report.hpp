// SPDX-License-Identifier: GPL-2.0-or-later
// What a validation found, as tables for people, as JSON for programs, and as the short record that `exo-dev cpus`
// shows.
#pragma once
#include <devenv/validation/primitives.hpp>
#include <devenv/validation/validation.hpp>
#include <devenv/view/run_report.hpp>
#include <string>
#include <vector>

namespace devenv {

std::string comparison_text(const Comparison&, std::size_t worst, const Style&);
Json comparison_json(const Comparison&);
// Measurements without a model to compare them with.
std::string measurements_text(const SampleSet&, std::size_t rows, const Style&);
Json measurements_json(const SampleSet&);

std::string primitives_text(const std::vector<Primitive>&, const std::string& cpu, const Style&);
Json primitives_json(const std::vector<Primitive>&);

// {"schema", "cpu", "date", "sets": [{"data", "n", "mean_percent", "median_percent", "tau", "within_10_percent",
// "uncovered", "categories": [{"name", "n", "mean_percent", "median_percent", "tau"}]}]}
Json record_json(const std::vector<Comparison>&, const std::string& date, const std::string& measured_on);

}  // namespace devenv
