// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/view/block_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/table.hpp>
#include <set>

namespace devenv {

namespace {

using sim::Cycle;
using sim::InstructionTimes;
using sim::Wait;
using sim::timing::BlockAnalysis;
using sim::timing::BlockInstruction;
using sim::timing::Bound;

std::string what(const Bound& bound) {
    return bound.detail.empty() ? bound.name : bound.name + " (" + bound.detail + ")";
}

std::string hex_of(const std::vector<std::uint8_t>& bytes, std::size_t offset, std::size_t count) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (std::size_t i = offset; i < offset + count; ++i) out += digits[bytes[i] >> 4], out += digits[bytes[i] & 15];
    return out;
}

std::string slots(const BlockInstruction& one) {
    if (one.recipe.fused) return "fused";
    return decimal(one.recipe.half_slots / 2.0, one.recipe.half_slots % 2);
}

std::string instructions_table(const BlockReport& report, const Style& style) {
    Table table({{""},
                 {"byte"},
                 {"slots"},
                 {"latency"},
                 {"chain"},
                 {"units", Align::left, true},
                 {"instruction", Align::left}});
    for (std::size_t i = 0; i < report.lines.size(); ++i) {
        const BlockInstruction& one = report.block.instructions[i];
        const BlockReport::Line& line = report.lines[i];
        table.row({std::to_string(i), one.counter ? "" : std::to_string(one.offset), slots(one),
                   std::to_string(one.recipe.latency),
                   line.cycles_on_chain >= 0 ? decimal(line.cycles_on_chain, 2) : "", line.units,
                   line.text + (one.recipe.known ? "" : "   (placeholder: nobody knows its cost)")});
    }
    return table.text(style);
}

std::string bounds_table(const BlockAnalysis& analysis, const Style& style) {
    Table table({{"cycles"}, {"of all"}, {"if nothing else took time", Align::left}});
    for (const Bound& bound : analysis.bounds)
        if (bound.cycles > 0)
            table.row({decimal(bound.cycles, 2), percent(bound.cycles, analysis.cycles), what(bound)});
    return table.text(style);
}

// Of a producer, its row's label: "iteration,instruction"; the iteration is left out if it is before those shown.
std::string waited_for(const BlockReport& report, std::size_t i) {
    const BlockAnalysis& analysis = report.analysis;
    const std::size_t length = report.lines.size();
    const InstructionTimes& times = analysis.timeline[i];
    if (times.wait == Wait::none) return "";
    std::string text(wait_name(times.wait));
    if (times.units) return text + " " + report.unit_names(times.units);
    if (times.on == 0) return text;
    // The producer may stand in an iteration before the first one shown.
    const auto back = static_cast<std::int64_t>(i) - static_cast<std::int64_t>(times.on);
    const auto length_signed = static_cast<std::int64_t>(length);
    const std::int64_t producer = ((back % length_signed) + length_signed) % length_signed;
    return text + " on " + (back < 0 ? "" : std::to_string(back / length_signed) + ",") + std::to_string(producer) +
           (back < 0 ? " of an iteration before" : "");
}

// One instruction's way, a character a cycle from `from` on.
std::string diagram(const InstructionTimes& times, Cycle from, std::size_t width) {
    std::string out(width, ' ');
    const auto put = [&](Cycle cycle, char c) {
        if (cycle >= from && cycle - from < width) out[cycle - from] = c;
    };
    for (Cycle c = std::max(times.dispatch, from); c < std::min(times.retire, from + width); ++c)
        put(c, c < times.issue ? '=' : c < times.complete ? 'e' : '-');
    put(times.dispatch, 'D');
    if (times.complete > times.dispatch) put(times.complete, 'E');
    put(times.retire, 'R');
    if (times.dispatch < from) out.front() = '<';
    return out;
}

std::string timeline_text(const BlockReport& report, const Style& style) {
    const BlockAnalysis& analysis = report.analysis;
    if (analysis.timeline.empty()) return "";
    constexpr std::size_t rows_most = 400, columns_most = 100;
    const std::size_t length = report.lines.size();
    const std::size_t rows = std::min(analysis.timeline.size(), rows_most);
    Cycle dispatch = ~0ull, end = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        const InstructionTimes& times = analysis.timeline[i];
        dispatch = std::min(dispatch, times.dispatch);
        end = std::max(end, times.retire + 1);
    }
    // Where the front end is far ahead, what counts is at the end.
    const Cycle from = end - dispatch <= columns_most ? dispatch : end - columns_most;
    const std::size_t width = end - from;
    Table table({{"", Align::left},
                 {"D"},
                 {"issue"},
                 {"E"},
                 {"R"},
                 {"cycles from " + std::to_string(from), Align::left},
                 {"instruction", Align::left},
                 {"waited for", Align::left}});
    const auto since = [&](Cycle cycle) { return std::to_string(static_cast<std::int64_t>(cycle - from)); };
    for (std::size_t i = 0; i < rows; ++i) {
        const InstructionTimes& times = analysis.timeline[i];
        table.row({std::to_string(i / length) + "," + std::to_string(i % length), since(times.dispatch),
                   since(times.issue), since(times.complete), since(times.retire), diagram(times, from, width),
                   report.lines[i % length].text, waited_for(report, i)});
    }
    std::string out = "\n" + style.bold("The last iterations") +
                      "  D dispatched, = waits, e executes, E complete, - waits to retire, R retires" +
                      ", < dispatched before\n";
    out += table.text(style);
    if (rows < analysis.timeline.size())
        out += "  (the first " + std::to_string(rows) + " of " + grouped(analysis.timeline.size()) +
               " rows; --json has all)\n";
    return out;
}

std::string placeholders_text(const BlockReport& report) {
    std::set<std::string> names;
    for (std::size_t i = 0; i < report.lines.size(); ++i)
        if (!report.block.instructions[i].recipe.known) names.insert(report.lines[i].opcode);
    if (names.empty()) return "";
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return "Placeholders, nobody knows their cost: " + out + "\n";
}

std::string branches_text(const BlockReport& report) {
    std::size_t inside = 0;
    const auto& instructions = report.block.instructions;
    for (std::size_t i = 0; i + 1 < instructions.size(); ++i)
        inside += instructions[i].instruction.flow != sim::Flow::next && !instructions[i + 1].counter;
    if (inside == 0) return "";
    return std::to_string(inside) + (inside == 1 ? " branch" : " branches") +
           " inside: the block is timed as one straight line\n";
}

}  // namespace

std::string bottleneck_text(const BlockAnalysis& analysis) {
    if (analysis.limited) return what(analysis.bounds.front());
    constexpr double helped = 0.97;
    if (analysis.cycles_without_windows < helped * analysis.cycles)
        return "windows (with endless buffers and schedulers " + decimal(analysis.cycles_without_windows, 2) + ")";
    return "several things together, most of it " + what(analysis.bounds.front());
}

BlockReport make_block_report(sim::timing::BlockTimer& timer, const sim::timing::RawBlock& block,
                              const BlockAnalysis& analysis, sim::timing::BlockMode mode, sim::Syntax syntax) {
    BlockReport report{timer.cpu(), "", mode, block, analysis, {}, {}};
    report.unit_names = [&timer](std::uint32_t units) { return timer.unit_names(units); };
    for (const BlockInstruction& one : block.instructions) {
        std::string units;
        for (const auto& operation : timer.operations(one)) {
            if (!operation.units) continue;
            units += (units.empty() ? "" : " ") + timer.unit_names(operation.units);
            if (operation.busy > 1) units += "x" + std::to_string(operation.busy);
        }
        report.lines.push_back({timer.text(block, one, syntax), timer.opcode_name(one), units, -1});
    }
    for (const auto& link : analysis.chain) report.lines[link.instruction].cycles_on_chain = link.cycles;
    return report;
}

std::string block_text(const BlockReport& report, const Style& style) {
    const bool loop = report.mode == sim::timing::BlockMode::loop;
    const auto own = std::ranges::count(report.block.instructions, false, &BlockInstruction::counter);
    std::string out = report.source.empty() ? "" : report.source + "\n";
    out += style.bold(decimal(report.analysis.cycles, 2) + " cycles an iteration") + " on " + report.cpu +
           (loop ? ", in a loop" : ", unrolled") + "; " + grouped(static_cast<std::uint64_t>(own)) +
           (own == 1 ? " instruction, " : " instructions, ") + grouped(report.block.bytes.size()) + " bytes\n";
    out += "Limited by: " + bottleneck_text(report.analysis) + "\n";
    out += branches_text(report) + placeholders_text(report) + "\n";
    out += instructions_table(report, style) + "\n" + bounds_table(report.analysis, style);
    return out + timeline_text(report, style);
}

namespace {

// The instruction of the block whose result the i-th of the timeline waited for.
Json producer(const BlockReport& report, std::size_t i) {
    const std::uint32_t on = report.analysis.timeline[i].on;
    const std::size_t length = report.lines.size();
    return on ? Json((i % length + length - on % length) % length) : Json(nullptr);
}

}  // namespace

Json block_json(const BlockReport& report) {
    Json instructions = Json::array(), bounds = Json::array(), timeline = Json::array();
    for (std::size_t i = 0; i < report.lines.size(); ++i) {
        const BlockInstruction& one = report.block.instructions[i];
        const BlockReport::Line& line = report.lines[i];
        const std::size_t length = one.counter ? 0 : one.instruction.length;
        instructions.push_back({{"offset", one.offset},
                                {"hex", hex_of(report.block.bytes, one.offset, length)},
                                {"text", line.text},
                                {"opcode", line.opcode},
                                {"slots", one.recipe.fused ? 0.0 : one.recipe.half_slots / 2.0},
                                {"fused", one.recipe.fused},
                                {"latency", one.recipe.latency},
                                {"units", line.units},
                                {"on_chain", line.cycles_on_chain >= 0},
                                {"chain_cycles", std::max(0.0, line.cycles_on_chain)},
                                {"placeholder", !one.recipe.known},
                                {"loop_counter", one.counter}});
    }
    for (const Bound& bound : report.analysis.bounds)
        bounds.push_back({{"name", bound.name}, {"detail", bound.detail}, {"cycles", bound.cycles}});
    for (std::size_t i = 0; i < report.analysis.timeline.size(); ++i) {
        const InstructionTimes& times = report.analysis.timeline[i];
        timeline.push_back({{"iteration", i / report.lines.size()},
                            {"instruction", i % report.lines.size()},
                            {"fetch", times.fetch},
                            {"dispatch", times.dispatch},
                            {"issue", times.issue},
                            {"complete", times.complete},
                            {"retire", times.retire},
                            {"wait", wait_name(times.wait)},
                            {"producer_distance", times.on},
                            {"producer", producer(report, i)},
                            {"units", times.units ? Json(report.unit_names(times.units)) : Json(nullptr)}});
    }
    return {{"schema", report_schema},
            {"cpu", report.cpu},
            {"source", report.source},
            {"mode", report.mode == sim::timing::BlockMode::loop ? "loop" : "unrolled"},
            {"bytes", report.block.bytes.size()},
            {"hex", hex_of(report.block.bytes, 0, report.block.bytes.size())},
            {"cycles", report.analysis.cycles},
            {"bottleneck", bottleneck_text(report.analysis)},
            {"bounds", bounds},
            {"instructions", instructions},
            {"timeline", timeline}};
}

}  // namespace devenv
