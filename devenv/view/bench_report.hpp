// SPDX-License-Identifier: GPL-2.0-or-later
// The benchmark's JSON document as a table.
#pragma once
#include <devenv/view/run_report.hpp>
#include <devenv/view/style.hpp>
#include <string>

namespace devenv {

// A document without the expected fields gives a table without those cells, never an exception.
std::string bench_text(const Json&, const Style&);

}  // namespace devenv
