// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/comparison.hpp>
#include <map>
#include <tuple>

namespace devenv {

namespace {

std::uint64_t distance(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; }

// Largest change first; equal ones by name, so that the order is the same every time.
auto rank(const Cost& before, const Cost& after, const std::string& name) {
    return std::tuple(~distance(before.cycles, after.cycles), ~distance(before.instructions, after.instructions), name);
}

std::vector<MarkChange> compare_marks(const Costs& before, const Costs& after) {
    std::map<std::string, MarkChange> changes;
    for (const sim::MarkSummary& m : before.marks) {
        MarkChange& c = changes[m.name];
        c.count_before = m.count;
        c.median_before = {m.instructions.median, m.cycles.median};
        c.total_before = {m.instructions.total, m.cycles.total, m.all.by_wait};
    }
    for (const sim::MarkSummary& m : after.marks) {
        MarkChange& c = changes[m.name];
        c.count_after = m.count;
        c.median_after = {m.instructions.median, m.cycles.median};
        c.total_after = {m.instructions.total, m.cycles.total, m.all.by_wait};
    }
    std::vector<MarkChange> list;
    for (auto& [name, c] : changes) {
        c.name = name;
        const bool same =
            c.count_before == c.count_after && c.median_before == c.median_after && c.total_before == c.total_after;
        if (!same) list.push_back(std::move(c));
    }
    std::sort(list.begin(), list.end(), [](const MarkChange& a, const MarkChange& b) {
        return rank(a.total_before, a.total_after, a.name) < rank(b.total_before, b.total_after, b.name);
    });
    return list;
}

// Functions of one name (static ones of several files) are one line: their addresses mean nothing across two builds.
std::vector<FunctionChange> compare_functions(const Costs& before, const Costs& after) {
    std::map<std::string, FunctionChange> changes;
    const auto add = [](Cost& cost, const sim::FunctionSummary& f) {
        cost.instructions += f.instructions;
        cost.cycles += f.cycles;
        for (std::size_t i = 0; i < f.by_wait.size(); ++i) cost.by_wait[i] += f.by_wait[i];
    };
    for (const sim::FunctionSummary& f : before.functions) add(changes[f.name].before, f);
    for (const sim::FunctionSummary& f : after.functions) add(changes[f.name].after, f);
    std::vector<FunctionChange> list;
    for (auto& [name, c] : changes) {
        c.name = name;
        if (c.before != c.after) list.push_back(std::move(c));
    }
    std::sort(list.begin(), list.end(), [](const FunctionChange& a, const FunctionChange& b) {
        return rank(a.before, a.after, a.name) < rank(b.before, b.after, b.name);
    });
    return list;
}

}  // namespace

Comparison compare(const Costs& before, const Costs& after) {
    return {before.total, after.total, compare_marks(before, after), compare_functions(before, after)};
}

std::vector<std::string> slower_marks(const Comparison& comparison, double percent) {
    std::vector<std::string> names;
    for (const MarkChange& mark : comparison.marks) {
        if (mark.count_before == 0 || mark.count_after == 0) continue;
        const double allowed = static_cast<double>(mark.median_before.cycles) * (1 + percent / 100);
        if (static_cast<double>(mark.median_after.cycles) > allowed) names.push_back(mark.name);
    }
    return names;
}

}  // namespace devenv
