// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/output.hpp>
#include <devenv/view/code.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/lockstep_report.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/table.hpp>
#include <nlohmann/json.hpp>
#include <sim/lockstep/known_differences.hpp>
#include <sim/lockstep/marks.hpp>

namespace devenv {

namespace {

using sim::ArchitecturalState;

sim::Registers registers_of(const ArchitecturalState& state) {
    sim::Registers r{};
    std::copy(std::begin(state.general), std::end(state.general), r.general);
    r.rip = state.rip, r.rflags = state.rflags;
    r.cr0 = state.cr[0], r.cr2 = state.cr[2], r.cr3 = state.cr[3], r.cr4 = state.cr[4], r.efer = state.efer;
    r.fs_base = state.segments[ArchitecturalState::fs].base, r.gs_base = state.segments[ArchitecturalState::gs].base;
    r.cs = static_cast<std::uint16_t>(state.segments[ArchitecturalState::cs].selector);
    r.ss = static_cast<std::uint16_t>(state.segments[ArchitecturalState::ss].selector);
    return r;
}

// "CF ZF IF", so that a difference in flags is read at once.
std::string flag_names(std::uint64_t flags) {
    static constexpr std::pair<unsigned, const char*> names[] = {{0, "CF"},  {2, "PF"},  {4, "AF"},  {6, "ZF"},
                                                                 {7, "SF"},  {8, "TF"},  {9, "IF"},  {10, "DF"},
                                                                 {11, "OF"}, {14, "NT"}, {16, "RF"}, {18, "AC"}};
    std::string out;
    for (const auto& [bit, name] : names)
        if (flags >> bit & 1) out += (out.empty() ? "" : " ") + std::string(name);
    return out.empty() ? "none" : out;
}

std::string field_value(const sim::Field& field, std::uint64_t value) {
    return field.name == "rflags" ? address(value) + "  " + flag_names(value) : address(value);
}

}  // namespace

std::string counts_text(const std::map<std::string, std::uint64_t>& numbers) {
    std::string out;
    for (const auto& [name, number] : numbers)
        out += (out.empty() ? "" : ", ") + std::string(name) + " " + grouped(number);
    return out.empty() ? "none" : out;
}

std::string fields_text(const std::vector<sim::Field>& fields, const std::string& leader, const std::string& follower,
                        const Style& style) {
    Table table({{"", Align::left}, {leader, Align::left}, {follower, Align::left}});
    for (const sim::Field& field : fields)
        table.row({field.name, field_value(field, field.leader), field_value(field, field.follower)});
    return table.text(style);
}

std::string state_text(const ArchitecturalState& state) { return registers_text(registers_of(state)); }

std::string lockstep_text(const sim::LockstepResult& result, const Style& style) {
    std::string out = style.bold("lockstep") + ": " + result.leader + " leads, " + result.follower + " follows\n";
    out += "  states compared    " + grouped(result.compared) +
           ", one before each instruction: general registers, RIP, "
           "flags, control\n"
           "                     registers, segments, descriptor tables, SSE and x87\n";
    out +=
        "  states come from   QEMU's " + result.states + (result.fallback.empty() ? "" : ": " + result.fallback) + "\n";
    if (!result.not_compared.empty()) out += "  not compared       " + result.not_compared + "\n";
    out += "  instructions       " + grouped(result.run.instructions) + " in " + grouped(result.blocks) + " blocks\n";
    out += "  inputs imposed     " + counts_text(result.inputs) + "\n";
    out += "  interrupts imposed " + grouped(result.interrupts) + "\n";
    out += "  known differences  " + counts_text(result.known) + (result.known.empty() ? "" : "  (lockstep --known)") +
           "\n";
    if (result.ram_compared)
        out += "  RAM at the end     " + byte_size(result.ram_compared) + ", " +
               (result.ram_differing ? style.red(grouped(result.ram_differing) + " bytes differ") : "equal") + "\n";
    for (const std::uint64_t place : result.ram_places) out += "                     " + address(place) + "\n";
    out += "  console            " +
           std::string(result.leader_console == result.follower_console ? "equal" : style.red("differs")) + "\n";
    out += "  end                " + std::string(sim::name(result.run.stop)) +
           (result.run.detail.empty() ? "" : ": " + result.run.detail) + "\n";
    return out;
}

std::string difference_text(const sim::LockstepResult& result, const sim::Image& image, const Style& style) {
    if (!result.difference) return "";
    const sim::Difference& it = *result.difference;
    const CodeView code(&image);
    std::string out = style.red("a difference after " + grouped(it.index) + " instructions: " + it.what) + "\n";
    out += fields_text(it.fields, result.leader, result.follower, style);
    out += "  " + style.bold(result.leader) + " at " + code.line(it.leader.rip) + "\n" + state_text(it.leader);
    out += "  " + style.bold(result.follower) + " at " + code.line(it.follower.rip) + "\n" + state_text(it.follower);
    out += "  last common instructions; what the last one did differs:\n";
    for (const sim::ExecutedInstruction& one : it.last)
        out += "    " + grouped(one.index) + "  " + code.line(one.address, one.bytes) + "\n";
    return out;
}

nlohmann::json lockstep_json(const sim::LockstepResult& result, const sim::Image& image) {
    nlohmann::json out = {{"schema", report_schema},
                          {"leader", result.leader},
                          {"leader_cpu", result.leader_cpu},
                          {"follower", result.follower},
                          {"states", result.states},
                          {"fallback", result.fallback},
                          {"not_compared", result.not_compared},
                          {"states_compared", result.compared},
                          {"instructions", result.run.instructions},
                          {"blocks", result.blocks},
                          {"inputs", result.inputs},
                          {"interrupts", result.interrupts},
                          {"known_differences", result.known},
                          {"ram_bytes_compared", result.ram_compared},
                          {"ram_bytes_differing", result.ram_differing},
                          {"ram_places", result.ram_places},
                          {"consoles_equal", result.leader_console == result.follower_console},
                          {"console", result.follower_console},
                          {"stop", sim::name(result.run.stop)},
                          {"detail", result.run.detail}};
    if (!result.difference) return out;
    const CodeView code(&image);
    nlohmann::json fields = nlohmann::json::array(), last = nlohmann::json::array();
    for (const sim::Field& field : result.difference->fields)
        fields.push_back({{"name", field.name}, {"leader", field.leader}, {"follower", field.follower}});
    for (const sim::ExecutedInstruction& one : result.difference->last)
        last.push_back({{"index", one.index},
                        {"address", one.address},
                        {"symbol", code.symbol(one.address)},
                        {"source", code.source(one.address)},
                        {"text", code.text(one.address, one.bytes)}});
    out["difference"] = {
        {"index", result.difference->index}, {"what", result.difference->what}, {"fields", fields}, {"last", last}};
    return out;
}

std::string sequences_text(const sim::lockstep::SequencesResult& result, const Style& style) {
    std::map<std::string, std::uint64_t> kinds;
    for (const auto& sequence : result.sequences) ++kinds[sequence.kind];
    std::string out = grouped(result.sequences.size()) + " sequences of seed " +
                      (result.sequences.empty() ? "?" : std::to_string(result.sequences.front().seed)) + ": " +
                      counts_text(kinds) + "\n";
    for (const auto& one : result.differences) {
        out += style.red("sequence " + std::to_string(one.sequence.number) + " (" + one.sequence.kind + ") differs") +
               " at " + address(one.difference.leader.rip) + ": " + one.difference.what;
        for (const sim::Field& field : one.difference.fields)
            out += "\n    " + field.name + "  " + field_value(field, field.leader) + " / " +
                   field_value(field, field.follower);
        const CodeView code(nullptr);
        if (!one.difference.last.empty())
            out += "\n    after " + code.text(one.difference.last.back().address, one.difference.last.back().bytes);
        out += "\n";
    }
    if (result.given_up) out += "given up after " + std::to_string(result.differences.size()) + " that differ\n";
    return out;
}

nlohmann::json sequences_json(const sim::lockstep::SequencesResult& result) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& sequence : result.sequences) {
        const auto differs = std::find_if(result.differences.begin(), result.differences.end(),
                                          [&](const auto& it) { return it.sequence.number == sequence.number; });
        const bool known = !result.given_up || sequence.number < result.differences.back().sequence.number;
        list.push_back({{"number", sequence.number},
                        {"seed", sequence.seed},
                        {"kind", sequence.kind},
                        {"result", differs != result.differences.end() ? "differs"
                                   : known                             ? "equal"
                                                                       : "not known"}});
    }
    return list;
}

// Of the comparison of every instruction, and of that at marks.
template <typename Take>
static void each_known(const Take& take) {
    for (const auto& known : sim::lockstep::known_differences()) take(known);
    for (const auto& known : sim::lockstep::mark_differences()) take(known);
}

std::string known_differences_text(const Style& style) {
    std::string out;
    each_known([&](const auto& known) {
        out += style.bold(known.id) + "  (" + std::string(name(known.fault)) + ")\n";
        out += "  what        " + std::string(known.what) + "\n";
        out += "  recognised  " + std::string(known.recognised) + "\n";
        out += "  reason      " + std::string(known.reason) + "\n";
    });
    return out;
}

nlohmann::json known_differences_json() {
    nlohmann::json list = nlohmann::json::array();
    each_known([&](const auto& known) {
        list.push_back({{"id", known.id},
                        {"what", known.what},
                        {"recognised", known.recognised},
                        {"reason", known.reason},
                        {"whose", name(known.fault)}});
    });
    return {{"schema", report_schema}, {"known_differences", list}};
}

std::string known_differences_markdown() {
    std::string out = "| | What differs | Recognised by | Why | Whose |\n|---|---|---|---|---|\n";
    each_known([&](const auto& known) {
        out += "| `" + std::string(known.id) + "` | " + std::string(known.what) + " | " +
               std::string(known.recognised) + " | " + std::string(known.reason) + " | " +
               std::string(name(known.fault)) + " |\n";
    });
    return out;
}

}  // namespace devenv
