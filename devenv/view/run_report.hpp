// SPDX-License-Identifier: GPL-2.0-or-later
// What a run cost, as tables for people and as JSON for programs.
#pragma once
#include <devenv/simulate.hpp>
#include <devenv/view/style.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace devenv {

using Json = nlohmann::ordered_json;

inline constexpr int report_schema = 1;

// `any`: the image has marks at all.
std::string marks_table(const std::vector<sim::MarkSummary>&, bool any, const Style&);
// The first `rows` functions; the rest is summed up in a last line.
std::string functions_table(const std::vector<sim::FunctionSummary>&, std::uint64_t all_cycles, std::size_t rows,
                            const Style&);
struct FiguresOptions {
    std::size_t top = 12;  // functions in a table
    bool stack = false;    // all causes of waiting, as a table
    bool misses = false;   // of caches, translations and predictors, as a table
    bool sources = false;  // where the numbers come from that cycles rest on, as a table
};
// All tables of what a run cost. `marks`: the image has any.
std::string figures_text(const Simulated&, bool marks, const FiguresOptions&, const Style&);
// Lines of the totals: a name and what there is to say, wrapped behind it.
std::string total_line(const std::string& name, const std::string& value, const Style&);
std::string spending_lines(const Simulated&, const Style&);  // cycles, what they were spent and rest on, misses
std::string model_line(const Simulated&, const Style&);
std::string totals_text(const Simulated&, const Scenario&, const Style&);
// `ours`: the image was built here.
std::string next_steps_text(const Simulated&, bool ours, const Style&);

Json run_json(const Simulated&, const Scenario&);  // the fields that `run` and `sim` share
Json figures_json(const Simulated&);               // the model and what it found
Json sim_json(const Simulated&, const Scenario&);

// One document and a newline; bytes that are no UTF-8 (a guest's console may hold any) become U+FFFD.
std::string json_document(const Json&);
std::string json_line(const Json&);

}  // namespace devenv
