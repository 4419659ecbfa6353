// SPDX-License-Identifier: GPL-2.0-or-later
// Where the costs of memory step: working sets, pages, strides and threads, on this CPU and in the model.
#pragma once
#include <devenv/validation/loops.hpp>

namespace devenv {

struct ShapePoint {
    std::uint64_t at = 0;  // bytes, pages or threads
    double measured = 0;   // core cycles a load or switch; 0: not measured
    double modelled = 0;   // 0: not modelled
};

struct Shape {
    std::string id, title, axis;
    std::vector<ShapePoint> points;
};

// Of the model of `cpu` (empty: none) and, if asked to, of this CPU. A minute. Throws as measure_loops does.
std::vector<Shape> measure_shapes(const std::string& cpu, bool natively,
                                  const std::function<void(std::string_view)>& progress);

}  // namespace devenv
