// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstdlib>
#include <devenv/view/comparison_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/spending_report.hpp>
#include <devenv/view/table.hpp>

namespace devenv {

namespace {

constexpr std::size_t name_columns = 48;

std::string change(std::uint64_t before, std::uint64_t after) {
    return signed_grouped(static_cast<std::int64_t>(after - before));
}

std::string relative(std::uint64_t before, std::uint64_t after) {
    return signed_percent(static_cast<double>(before), static_cast<double>(after));
}

std::string count_text(const MarkChange& mark) {
    if (mark.count_before == 0) return "new";
    if (mark.count_after == 0) return "gone";
    return mark.count_before == mark.count_after ? grouped(mark.count_after)
                                                 : grouped(mark.count_before) + " -> " + grouped(mark.count_after);
}

// Of what the cycles are spent on: what changed most.
std::string main_change(const Cost& before, const Cost& after) {
    std::size_t most = 0;
    std::int64_t by = 0;
    for (std::size_t i = 0; i < sim::wait_count; ++i) {
        const auto difference = static_cast<std::int64_t>(after.by_wait[i] - before.by_wait[i]);
        if (std::abs(difference) > std::abs(by)) most = i, by = difference;
    }
    return by ? wait_title(static_cast<sim::Wait>(most)) + " " + signed_grouped(by) : "";
}

std::string marks_text(const Comparison& c, const Style& style) {
    Table table({{"mark", Align::left},
                 {"count"},
                 {"median before"},
                 {"after"},
                 {"change"},
                 {"total cycles"},
                 {"instructions"},
                 {"mostly", Align::left, true}});
    for (const MarkChange& m : c.marks) {
        table.row({shorten(m.name, name_columns), count_text(m), grouped(m.median_before.cycles),
                   grouped(m.median_after.cycles), relative(m.median_before.cycles, m.median_after.cycles),
                   change(m.total_before.cycles, m.total_after.cycles),
                   change(m.total_before.instructions, m.total_after.instructions),
                   main_change(m.total_before, m.total_after)});
    }
    return table.empty() ? "  no mark changed\n" : table.text(style);
}

std::string functions_text(const Comparison& c, std::size_t top, const Style& style) {
    Table table({{"function", Align::left},
                 {"cycles before"},
                 {"after"},
                 {"change"},
                 {""},
                 {"instructions"},
                 {"mostly", Align::left, true}});
    for (const FunctionChange& f : c.functions) {
        if (top-- == 0) break;
        table.row({shorten(f.name, name_columns), grouped(f.before.cycles), grouped(f.after.cycles),
                   change(f.before.cycles, f.after.cycles), relative(f.before.cycles, f.after.cycles),
                   change(f.before.instructions, f.after.instructions), main_change(f.before, f.after)});
    }
    return table.empty() ? "  no function changed\n" : table.text(style);
}

Json cost_json(const Cost& before, const Cost& after) {
    return {{"before", {{"cycles", before.cycles}, {"instructions", before.instructions}}},
            {"after", {{"cycles", after.cycles}, {"instructions", after.instructions}}},
            {"cycles", static_cast<std::int64_t>(after.cycles - before.cycles)},
            {"instructions", static_cast<std::int64_t>(after.instructions - before.instructions)}};
}

// Changes of what cycles are spent on.
Json waits_change_json(const Cost& before, const Cost& after) {
    Json json = Json::object();
    for (std::size_t i = 0; i < sim::wait_count; ++i)
        if (before.by_wait[i] != after.by_wait[i])
            json[wait_key(static_cast<sim::Wait>(i))] = static_cast<std::int64_t>(after.by_wait[i] - before.by_wait[i]);
    return json;
}

}  // namespace

std::string comparison_text(const Comparison& c, const ComparisonLabels& labels, const Style& style) {
    std::string out = "  " + style.bold(labels.before) + " -> " + style.bold(labels.after) + "\n\n";
    if (c.same()) {
        return out + "  same cycles and instructions everywhere: " + grouped(c.after.cycles) + " cycles, " +
               grouped(c.after.instructions) + " instructions\n";
    }
    out += marks_text(c, style) + "\n" + functions_text(c, labels.top, style);
    if (c.functions.size() > labels.top) {
        out += "  " + grouped(c.functions.size() - labels.top) + " more functions changed; --top N shows more\n";
    }
    Table totals({{"total", Align::left}, {"before"}, {"after"}, {"change"}, {""}});
    totals.row({"cycles", grouped(c.before.cycles), grouped(c.after.cycles), change(c.before.cycles, c.after.cycles),
                relative(c.before.cycles, c.after.cycles)});
    totals.row({"instructions", grouped(c.before.instructions), grouped(c.after.instructions),
                change(c.before.instructions, c.after.instructions),
                relative(c.before.instructions, c.after.instructions)});
    return out + "\n" + totals.text(style);
}

Json comparison_json(const Comparison& c, const ComparisonLabels& labels) {
    Json json = {{"schema", report_schema}, {"before", labels.before},   {"after", labels.after},
                 {"same", c.same()},        {"slower", labels.slower},   {"total", cost_json(c.before, c.after)},
                 {"marks", Json::array()},  {"functions", Json::array()}};
    for (const MarkChange& m : c.marks) {
        json["marks"].push_back({{"name", m.name},
                                 {"count_before", m.count_before},
                                 {"count_after", m.count_after},
                                 {"median", cost_json(m.median_before, m.median_after)},
                                 {"total", cost_json(m.total_before, m.total_after)},
                                 {"waits", waits_change_json(m.total_before, m.total_after)}});
    }
    for (const FunctionChange& f : c.functions) {
        Json function = {{"name", f.name}};
        function.update(cost_json(f.before, f.after));
        function["waits"] = waits_change_json(f.before, f.after);
        json["functions"].push_back(std::move(function));
    }
    return json;
}

}  // namespace devenv
