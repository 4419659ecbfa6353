// SPDX-License-Identifier: GPL-2.0-or-later
// What `exo-dev lockstep` tells: what was compared, the first difference, the table of known ones.
#pragma once
#include <devenv/view/style.hpp>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <sim/image/image.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <sim/lockstep/sequences/sequences.hpp>
#include <string>
#include <vector>

namespace devenv {

// Pieces that other comparisons use, too.
std::string counts_text(const std::map<std::string, std::uint64_t>&);  // "tsc 3, port 12", "none"
std::string fields_text(const std::vector<sim::Field>&, const std::string& leader, const std::string& follower,
                        const Style&);
std::string state_text(const sim::ArchitecturalState&);

std::string lockstep_text(const sim::LockstepResult&, const Style&);
// Both states, the instruction that made the difference, and the last common ones. Empty if there is none.
std::string difference_text(const sim::LockstepResult&, const sim::Image&, const Style&);
nlohmann::json lockstep_json(const sim::LockstepResult&, const sim::Image&);

// Of generated sequences: a line for each that differs, and how the others fared.
std::string sequences_text(const sim::lockstep::SequencesResult&, const Style&);
nlohmann::json sequences_json(const sim::lockstep::SequencesResult&);

std::string known_differences_text(const Style&);
nlohmann::json known_differences_json();
// The table as docs/limits.md has it.
std::string known_differences_markdown();

}  // namespace devenv
