// SPDX-License-Identifier: GPL-2.0-or-later
// Which instructions belong to the K-th window of a mark. A mark is an address that is about to execute, so a window
// starts with the instruction at its begin and ends before the one at its end. Windows nest, as in the profile: an end
// closes the innermost open begin. A point mark has no end: its window goes on to the end of the trace.
#pragma once
#include <cstdint>
#include <set>
#include <sim/image/image.hpp>
#include <span>
#include <string>

namespace devenv {

struct MarkChoice {
    std::string name;
    std::uint64_t number = 1;  // from 1
};

// "boot" or "boot:3". Throws Failure (usage) if what follows the colon is no number from 1 on.
MarkChoice parse_mark_choice(const std::string& text, const char* option = "--mark");

class MarkWindow {
  public:
    // Throws Failure (usage) with the names there are if the image has no such mark.
    MarkWindow(std::span<const sim::Mark> marks, const MarkChoice& choice);

    // To be called for each instruction, in order. True if it belongs to the window.
    bool holds(std::uint64_t address);
    bool over() const { return over_; }              // the window has ended
    bool has_end() const { return !ends_.empty(); }  // false: a point mark
    std::uint64_t windows_seen() const { return seen_; }

  private:
    std::set<std::uint64_t> begins_, ends_;
    std::uint64_t wanted_, seen_ = 0;            // begins
    std::uint64_t depth_ = 0, outer_depth_ = 0;  // begins not yet ended: now, and when the wanted one came
    bool over_ = false;
};

}  // namespace devenv
