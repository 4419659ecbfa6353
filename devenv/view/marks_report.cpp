// SPDX-License-Identifier: GPL-2.0-or-later
#include <devenv/view/code.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/lockstep_report.hpp>
#include <devenv/view/marks_report.hpp>
#include <nlohmann/json.hpp>

namespace devenv {

namespace {

// "tour.boot_phases begin": all marks at the address.
std::string mark_name(const sim::Image& image, std::uint64_t address) {
    std::string out;
    for (const sim::Mark& mark : image.marks()) {
        if (mark.address != address) continue;
        out += (out.empty() ? "" : ", ") + mark.name;
        if (mark.kind == exo::abi::MarkKind::begin) out += " begin";
        if (mark.kind == exo::abi::MarkKind::end) out += " end";
    }
    return out;
}

std::string third_name(const MarksComparison& it) { return "Bochs " + it.third.version; }

nlohmann::json stop_json(const sim::MarkStop& stop, const sim::Image& image) {
    const CodeView code(&image);
    return {{"mark", mark_name(image, stop.address)},    {"address", stop.address},
            {"symbol", code.symbol(stop.address)},       {"source", code.source(stop.address)},
            {"text", code.text(stop.address)},           {"instructions_since", stop.ticks},
            {"deliveries_since", stop.deliveries.size()}};
}

}  // namespace

std::string marks_text(const MarksComparison& it, const Style& style) {
    const sim::lockstep::MarksResult& result = it.result;
    std::string out =
        style.bold("at marks") + ": " + it.pair + " against " + third_name(it) + " (" + it.third.cpu + ")\n";
    out += "  places watched     " + grouped(it.watched) + " of the image's " + grouped(it.places) +
           ", at which begins and ends of marks are\n";
    out += "  stops compared     " + grouped(result.stops) + ", " + grouped(result.values) +
           " values: general registers, RIP, flags, CR0, CR2, CR3, CR4,\n"
           "                     EFER, selectors, GDTR, IDTR, SSE\n";
    out += "  instruction counts " + grouped(result.counts) + " equal between stops (" + grouped(result.instructions) +
           " instructions); " + grouped(result.counts_left) + " not compared\n";
    out += "  known differences  " + counts_text(result.known) + (result.known.empty() ? "" : "  (lockstep --known)") +
           "\n";
    out += "  end                " + it.third.end + "\n";
    return out;
}

std::string mark_mismatch_text(const MarksComparison& it, const sim::Image& image, const Style& style) {
    if (!it.result.mismatch) return "";
    const sim::lockstep::MarkMismatch& mismatch = *it.result.mismatch;
    const CodeView code(&image);
    std::string out = style.red("a difference at stop " + grouped(mismatch.number) + ": " + mismatch.what) + "\n";
    if (!mismatch.fields.empty()) out += fields_text(mismatch.fields, it.pair, third_name(it), style);
    const auto side = [&](const std::string& name, const std::optional<sim::MarkStop>& stop) {
        if (!stop) return "  " + style.bold(name) + " comes to no mark any more\n";
        return "  " + style.bold(name) + " at " + mark_name(image, stop->address) + ", " + code.line(stop->address) +
               "\n" + state_text(stop->state);
    };
    out += side(it.pair, mismatch.pair) + side(third_name(it), mismatch.third);
    if (mismatch.before)
        out += "  the stop before was the same: " + mark_name(image, mismatch.before->address) + ", " +
               code.line(mismatch.before->address) +
               "\n  `exo-dev sim --engine bochs --window MARK:N` traces the way\n";
    return out;
}

nlohmann::json marks_json(const MarksComparison& it, const sim::Image& image) {
    nlohmann::json out = {{"engine", "bochs"},
                          {"version", it.third.version},
                          {"cpu", it.third.cpu},
                          {"places", it.places},
                          {"places_watched", it.watched},
                          {"stops_compared", it.result.stops},
                          {"values_compared", it.result.values},
                          {"counts_compared", it.result.counts},
                          {"counts_not_compared", it.result.counts_left},
                          {"instructions_counted", it.result.instructions},
                          {"known_differences", it.result.known},
                          {"end", it.third.end}};
    if (!it.result.mismatch) return out;
    const sim::lockstep::MarkMismatch& mismatch = *it.result.mismatch;
    nlohmann::json fields = nlohmann::json::array();
    for (const sim::Field& field : mismatch.fields)
        fields.push_back({{"name", field.name}, {"pair", field.leader}, {"bochs", field.follower}});
    nlohmann::json& difference =
        out["difference"] = {{"stop", mismatch.number}, {"what", mismatch.what}, {"fields", fields}};
    if (mismatch.pair) difference["pair"] = stop_json(*mismatch.pair, image);
    if (mismatch.third) difference["bochs"] = stop_json(*mismatch.third, image);
    if (mismatch.before) difference["before"] = stop_json(*mismatch.before, image);
    return out;
}

}  // namespace devenv
