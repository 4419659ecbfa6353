// SPDX-License-Identifier: GPL-2.0-or-later
#include <devenv/view/bench_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/table.hpp>
#include <optional>

namespace devenv {

namespace {

std::string text(const Json& object, const char* key) {
    if (!object.is_object() || !object.contains(key)) return "";
    const Json& value = object[key];
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::optional<double> number(const Json& object, const char* key) {
    if (!object.is_object() || !object.contains(key) || !object[key].is_number()) return std::nullopt;
    return object[key].get<double>();
}

std::string cycles(const std::optional<double>& value) {
    if (!value) return "-";
    return *value < 100 ? decimal(*value, 1) : grouped(static_cast<std::uint64_t>(*value + 0.5));
}

const Json& member(const Json& object, const char* key) {
    static const Json nothing;
    return object.is_object() && object.contains(key) ? object[key] : nothing;
}

// The fastest peer by median, if there is one.
const Json* best_peer(const Json& row) {
    const Json* best = nullptr;
    for (const Json& peer : member(row, "peers")) {
        const auto median = number(peer, "median");
        if (median && (!best || *median < *number(*best, "median"))) best = &peer;
    }
    return best;
}

void add_row(Table& table, const Json& row) {
    const Json& exo = member(row, "exo");
    const auto median = number(exo, "median");
    std::string peer_name, peer_median, ratio;
    if (const Json* peer = best_peer(row)) {
        const auto theirs = number(*peer, "median");
        peer_name = text(*peer, "name");
        peer_median = cycles(theirs);
        if (median && *theirs > 0) ratio = decimal(*median / *theirs, 2);
    }
    table.row({text(row, "id"), shorten(text(row, "title"), 44), cycles(number(exo, "min")), cycles(median),
               cycles(number(exo, "p99")), text(row, "unit"), peer_name, peer_median, ratio, text(row, "placement")});
}

}  // namespace

std::string bench_text(const Json& report, const Style& style) {
    const Json& machine = member(report, "machine");
    std::string out = "  " + style.bold(text(machine, "cpu"));
    if (const auto ghz = number(machine, "tsc_ghz")) out += ", TSC " + decimal(*ghz, 2) + " GHz";
    if (const auto ratio = number(machine, "core_per_tsc"))
        out += ", " + decimal(*ratio, 3) + " core cycles a TSC tick";
    out += "\n\n";
    Table table({{"row", Align::left},
                 {"title", Align::left, true},
                 {"min", Align::right, true},
                 {"median"},
                 {"p99", Align::right, true},
                 {"unit", Align::left},
                 {"best peer", Align::left},
                 {"its median"},
                 {"exo / peer"},
                 {"placement", Align::left, true}});
    for (const Json& row : member(report, "rows")) add_row(table, row);
    out += table.empty() ? "  no rows\n" : table.text(style);
    for (const Json& row : member(report, "rows")) {
        if (const std::string note = text(row, "note"); !note.empty())
            out += "  " + text(row, "id") + ": " + note + "\n";
    }
    return out;
}

}  // namespace devenv
