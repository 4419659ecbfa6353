// SPDX-License-Identifier: GPL-2.0-or-later
// Steps of memory as tables and as a picture.
#pragma once
#include <devenv/output.hpp>
#include <devenv/validation/shapes.hpp>
#include <devenv/view/run_report.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace devenv {

std::string shapes_text(const std::vector<Shape>&, const std::string& cpu, const Style&);
// [{"id", "title", "axis", "points": [{"at", "measured", "exo"}]}]
Json shapes_json(const std::vector<Shape>&);
// As write_scatter_plot.
void write_shapes_plot(const std::filesystem::path&, const std::vector<Shape>&, const std::string& cpu);

}  // namespace devenv
