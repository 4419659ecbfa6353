// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cmath>
#include <devenv/view/format.hpp>
#include <devenv/view/loops_report.hpp>
#include <devenv/view/table.hpp>

namespace devenv {

namespace {

std::string in_percent(double fraction) { return decimal(100 * fraction, 1) + " %"; }
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

bool compared(const LoopResult& one) { return one.modelled > 0 && one.excluded.empty() && !is_reference(*one.loop); }

std::string signed_percent(double fraction) { return (fraction < 0 ? "-" : "+") + in_percent(std::abs(fraction)); }

// Of those that memory bounds, or of the others.
std::string summary(const std::vector<LoopResult>& loops, const std::string& title, bool by_memory) {
    std::vector<double> errors;
    for (const LoopResult& one : loops)
        if (compared(one) && one.loop->by_memory == by_memory) errors.push_back(std::abs(one.error));
    if (errors.empty()) return "";
    std::ranges::sort(errors);
    double sum = 0;
    for (const double error : errors) sum += error;
    const auto within = static_cast<std::size_t>(std::ranges::count_if(errors, [](double e) { return e <= 0.1; }));
    return "  " + title + ": mean error " + in_percent(sum / double(errors.size())) + ", median " +
           in_percent(errors[errors.size() / 2]) + ", worst " + in_percent(errors.back()) + ", " + grouped(within) +
           " of " + grouped(errors.size()) + " within 10 %\n";
}

}  // namespace

std::string loops_text(const std::vector<LoopResult>& loops, const std::string& cpu, const Style& style) {
    std::string out =
        "  " + style.bold("classic loops, the same machine code; cycles a load, 64 bytes or iteration") + "\n\n";
    Table table({{"loop", Align::left},
                 {"instructions"},
                 {"native"},
                 {"spread"},
                 {cpu.empty() ? "" : "model, " + cpu},
                 {"error"},
                 {"what", Align::left, true}});
    bool ratios = false;
    for (const LoopResult& one : loops) {
        const bool modelled = one.modelled > 0, reference = is_reference(*one.loop);
        ratios |= modelled && one.loop->by_memory && !reference;
        table.row({std::string(one.loop->id), modelled ? decimal(one.instructions, 2) : "-", decimal(one.measured, 2),
                   in_percent(one.spread), modelled ? decimal(one.modelled, 2) : "-",
                   !modelled || reference ? "-" : signed_percent(one.error) + (one.loop->by_memory ? " *" : ""),
                   std::string(one.loop->title) + (one.excluded.empty() ? "" : " (" + one.excluded + ")")});
    }
    out += table.text(style);
    if (ratios) out += "  * of the ratio to the pointer chase through memory: memory differs from machine to machine\n";
    return out + summary(loops, cpu, false) + summary(loops, cpu + ", memory *", true);
}

Json loops_json(const std::vector<LoopResult>& loops) {
    Json list = Json::array();
    for (const LoopResult& one : loops) {
        Json object = {
            {"id", one.loop->id}, {"title", one.loop->title}, {"measured", one.measured}, {"spread", one.spread}};
        if (one.modelled > 0) {
            object["instructions"] = rounded(one.instructions);
            object["exo"] = rounded(one.modelled);
            if (!is_reference(*one.loop)) object["error_percent"] = rounded(100 * one.error);
            if (one.loop->by_memory && !is_reference(*one.loop)) object["ratio_to"] = memory_chase;
        }
        if (!one.excluded.empty()) object["why"] = one.excluded;
        list.push_back(object);
    }
    return list;
}

}  // namespace devenv
