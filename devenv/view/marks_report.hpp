// SPDX-License-Identifier: GPL-2.0-or-later
// What `exo-dev lockstep --marks` tells: lockstep's two engines against a third, from mark to mark.
#pragma once
#include <devenv/view/style.hpp>
#include <nlohmann/json_fwd.hpp>
#include <sim/bochs/marks.hpp>
#include <sim/image/image.hpp>
#include <sim/lockstep/marks.hpp>
#include <string>

namespace devenv {

struct MarksComparison {
    std::string pair;                     // "QEMU 7.2 and Unicorn 2.1.4"
    std::size_t places = 0, watched = 0;  // addresses of marks in the image, and where the third was stopped
    sim::BochsStops third;
    sim::lockstep::MarksResult result;
};

std::string marks_text(const MarksComparison&, const Style&);
// Both states at the first stop that differs, and the mark before it. Empty if there is none.
std::string mark_mismatch_text(const MarksComparison&, const sim::Image&, const Style&);
nlohmann::json marks_json(const MarksComparison&, const sim::Image&);

}  // namespace devenv
