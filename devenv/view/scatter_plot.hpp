// SPDX-License-Identifier: GPL-2.0-or-later
// Measured against predicted cycles as a picture, by gnuplot (Debian package gnuplot-nox, optional).
#pragma once
#include <devenv/validation/validation.hpp>
#include <filesystem>
#include <vector>

namespace devenv {

// `path` ends with .svg or .png. Throws Failure: usage for another ending or a place that cannot be written, missing
// without gnuplot, interrupted.
void check_plot_path(const std::filesystem::path&);
// A script for gnuplot that begins with the terminal and writes to the file 'plot'.
void write_plot(const std::filesystem::path&, const std::string& script);
void write_scatter_plot(const std::filesystem::path&, const std::vector<Comparison>&);

}  // namespace devenv
