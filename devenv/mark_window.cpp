// SPDX-License-Identifier: GPL-2.0-or-later
#include <charconv>
#include <devenv/exit_status.hpp>
#include <devenv/mark_window.hpp>

namespace devenv {

MarkChoice parse_mark_choice(const std::string& text, const char* option) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return {.name = text};
    MarkChoice choice{.name = text.substr(0, colon)};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, choice.number);
    if (error != std::errc{} || stop != end || choice.number == 0) {
        throw Failure(Exit::usage, option + (" " + text) + ": after the colon comes the number of the window, from 1");
    }
    return choice;
}

MarkWindow::MarkWindow(std::span<const sim::Mark> marks, const MarkChoice& choice) : wanted_(choice.number) {
    std::set<std::string> names;
    for (const sim::Mark& mark : marks) {
        names.insert(mark.name);
        if (mark.name != choice.name) continue;
        (mark.kind == exo::abi::MarkKind::end ? ends_ : begins_).insert(mark.address);
    }
    if (!begins_.empty()) return;
    std::string known;
    for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
    throw Failure(Exit::usage, "--mark " + choice.name + ": the image has no such mark; it has " +
                                   (known.empty() ? "none at all" : known));
}

bool MarkWindow::holds(std::uint64_t address) {
    if (over_) return false;
    if (depth_ > 0 && ends_.contains(address)) {
        --depth_;
        over_ = seen_ >= wanted_ && depth_ == outer_depth_;
    }
    if (!over_ && begins_.contains(address)) {
        if (++seen_ == wanted_) outer_depth_ = depth_;
        ++depth_;
    }
    return !over_ && seen_ >= wanted_;
}

}  // namespace devenv
