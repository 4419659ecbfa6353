// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev cpus: which CPUs the timing model knows, what of them is modelled, where its numbers come from, and how far
// from hardware it was when it was last compared.
#include <unistd.h>

#include <devenv/command_line.hpp>
#include <devenv/commands/commands.hpp>
#include <devenv/environment.hpp>
#include <devenv/output.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/table.hpp>
#include <fstream>
#include <memory>
#include <sim/timing/cpu.hpp>

namespace devenv {

namespace {

using sim::timing::Cpu;
using sim::timing::Evidence;

struct CpusOptions {
    std::string cpu;
    bool json = false;
};

constexpr const char* examples =
    "  exo-dev cpus                     the CPUs, the sources of their numbers, their last validation\n"
    "  exo-dev cpus znver4              every number of one, with its source\n"
    "  exo-dev cpus ./my.json           checks a file of your own, for --cpu ./my.json\n"
    "  exo-dev cpus znver4 --json | jq '.cpus[0].entries[] | select(.provenance == \"estimate\")'";

struct Entry {
    std::string kind, name, value;
    const Evidence* evidence;
};

std::string first_and_count(const std::vector<std::string>& names) {
    return names.front() + (names.size() > 1 ? " and " + std::to_string(names.size() - 1) + " more" : "");
}

std::string range_text(const sim::timing::Range& cycles) {
    if (cycles.low == cycles.high) return std::to_string(cycles.likely);
    return std::to_string(cycles.likely) + ", " + std::to_string(cycles.low) + "-" + std::to_string(cycles.high);
}

std::vector<Entry> entries(const Cpu& cpu) {
    std::vector<Entry> list;
    for (const auto& one : cpu.parameters) list.push_back({"parameter", one.name, one.value, &one.evidence});
    for (const auto& one : cpu.overlay.instructions())
        list.push_back({"instruction", first_and_count(one.opcodes), std::to_string(one.cost.latency), &one.evidence});
    for (const auto& one : cpu.overlay.systems()) {
        std::string name = one.name;
        if (!one.opcodes.empty()) name += " (" + first_and_count(one.opcodes) + ")";
        if (one.control_register >= 0) name += " (cr" + std::to_string(one.control_register) + ")";
        list.push_back({"system", name, range_text(one.cycles), &one.evidence});
    }
    for (const auto& one : cpu.overlay.strings())
        list.push_back({"string", (one.rep ? "rep " : "") + first_and_count(one.opcodes),
                        range_text(one.cycles(64)) + " for 64 bytes", &one.evidence});
    return list;
}

Json counts_json(const sim::timing::ProvenanceCounts& counts) {
    return {{"measured", counts[0]}, {"published", counts[1]}, {"estimate", counts[2]}};
}

std::string counts_text(const sim::timing::ProvenanceCounts& counts) {
    return std::to_string(counts[0]) + " measured, " + std::to_string(counts[1]) + " published, " +
           std::to_string(counts[2]) + " estimated";
}

// What `validate --record` wrote; null if it never has, a text if it cannot be used.
Json last_validation(const std::string& cpu) {
    const auto path = environment().root / "sim" / "timing" / "data" / (cpu + ".validation.json");
    std::ifstream in(path);
    if (!in) return nullptr;
    const Json record = Json::parse(in, nullptr, false);
    if (!record.is_object() || !record.contains("sets") || !record["sets"].is_array())
        return display(path) + " is damaged: write it again with exo-dev validate --record";
    return record;
}

std::string validation_text(const Json& record) {
    if (record.is_null()) return "  validation    never recorded (exo-dev validate --record)\n";
    if (record.is_string()) return "  validation    " + record.get<std::string>() + "\n";
    std::string text;
    for (const Json& set : record["sets"]) {
        if (!set.is_object()) continue;
        text += "  validation    " + set.value("data", "") + ": mean error " +
                decimal(set.value("mean_percent", 0.0), 1) + " %, median " +
                decimal(set.value("median_percent", 0.0), 1) + " %, Kendall's tau " +
                decimal(set.value("tau", 0.0), 3) + " over " + std::to_string(set.value("n", 0)) + " (" +
                record.value("date", "") + ", " + record.value("measured_on", "") + ")\n";
    }
    return text;
}

std::string modelled(const Cpu& cpu) {
    if (cpu.ideal) return "instructions, a cycle each";
    const auto& machine = cpu.machine;
    return "out of order, " + std::to_string(machine.dispatch_width) + " a cycle, reorder buffer of " +
           std::to_string(machine.reorder_buffer) + "; units, store forwarding, branch prediction; caches of " +
           std::to_string(machine.l1_data_kib) + " KiB, " + std::to_string(machine.l2_kib) + " KiB, " +
           std::to_string(machine.l3_kib >> 10) + " MiB with prefetchers; op cache of " +
           std::to_string(machine.op_cache_entries) + " entries; TLBs and page walks; a line of another CPU in " +
           std::to_string(machine.transfer()) + " cycles (" + std::to_string(machine.transfer_smt) + " in a core, " +
           std::to_string(machine.transfer_near) + " over one L3, " + std::to_string(machine.transfer_far) +
           " farther)";
}

std::string cpu_text(const Cpu& cpu, const Style& style) {
    std::string text = style.bold(cpu.name) + "  " + cpu.describes + "\n  modelled      " + modelled(cpu) + "\n";
    if (cpu.ideal) return text;
    text += "  scheduling    " + cpu.scheduling.origin() + ": " + std::to_string(cpu.scheduling.opcodes()) +
            " opcodes\n  not modelled  wrong paths, hyperthreads of a core, frequency\n";
    text += "  corrections   " + counts_text(cpu.overlay.counts()) + ": " +
            std::to_string(cpu.overlay.instructions().size()) + " of instructions, " +
            std::to_string(cpu.overlay.systems().size()) + " of system instructions and events, " +
            std::to_string(cpu.overlay.strings().size()) + " of string instructions\n";
    text += "  all numbers   " + counts_text(cpu.counts()) + "  (" + cpu.file + ")\n";
    return text + validation_text(last_validation(cpu.name));
}

std::string entries_text(const Cpu& cpu, const Style& style) {
    Table table({{"kind", Align::left},
                 {"name", Align::left},
                 {"value", Align::left},
                 {"provenance", Align::left},
                 {"source", Align::left}});
    for (const Entry& one : entries(cpu)) {
        std::string source = one.evidence->text;
        if (!one.evidence->patterns.empty()) source += ": " + first_and_count(one.evidence->patterns);
        table.row({one.kind, one.name, one.value, std::string(sim::provenance_name(one.evidence->provenance)), source});
    }
    return table.empty() ? "" : "\n" + table.text(style);
}

Json cpu_json(const Cpu& cpu, bool all) {
    Json json = {{"name", cpu.name}, {"describes", cpu.describes}, {"file", cpu.file}, {"modelled", modelled(cpu)}};
    if (cpu.ideal) return json;
    json["scheduling"] = {{"origin", cpu.scheduling.origin()}, {"opcodes", cpu.scheduling.opcodes()}};
    json["overlays"] = cpu.overlay.files();
    json["corrections"] = counts_json(cpu.overlay.counts());
    json["numbers"] = counts_json(cpu.counts());
    json["validation"] = last_validation(cpu.name);
    if (!all) return json;
    json["entries"] = Json::array();
    for (const Entry& one : entries(cpu))
        json["entries"].push_back({{"kind", one.kind},
                                   {"name", one.name},
                                   {"value", one.value},
                                   {"provenance", std::string(sim::provenance_name(one.evidence->provenance))},
                                   {"source", one.evidence->text},
                                   {"patterns", one.evidence->patterns}});
    return json;
}

Exit cpus(const CpusOptions& options) {
    const std::vector<std::string> names =
        options.cpu.empty() ? sim::timing::cpu_names() : std::vector<std::string>{options.cpu};
    const Style style = style_for(STDOUT_FILENO);
    Json json = {{"schema", report_schema}, {"cpus", Json::array()}};
    std::string text;
    for (const std::string& name : names) {
        const auto cpu = sim::timing::load_cpu(name);
        json["cpus"].push_back(cpu_json(*cpu, !options.cpu.empty()));
        text += (text.empty() ? "" : "\n") + cpu_text(*cpu, style);
        if (!options.cpu.empty()) text += entries_text(*cpu, style);
    }
    Output& out = standard_output();
    out.write(options.json ? json_document(json) : text);
    return Exit::done;
}

}  // namespace

void add_cpus(CommandLine& line) {
    CLI::App* app = line.command(
        "cpus", "The CPUs of the timing model, where their numbers come from, their last validation", examples);
    const auto options = std::make_shared<CpusOptions>();
    app->add_option("cpu", options->cpu, "Every number of this CPU: a name, or the path of a file of that kind");
    app->add_flag("--json", options->json, "One JSON document on stdout");
    line.does(app, [options] { return cpus(*options); });
}

}  // namespace devenv
