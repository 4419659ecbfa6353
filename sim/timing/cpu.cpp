// SPDX-License-Identifier: GPL-2.0-or-later
#include <filesystem>
#include <fstream>
#include <map>
#include <ranges>
#include <sim/timing/cpu.hpp>
#include <sim/timing/data.hpp>
#include <sim/timing/json_reader.hpp>
#include <sim/timing/machine_fields.hpp>
#include <sim/timing/model.hpp>
#include <sstream>

namespace sim::timing {

namespace {

constexpr std::string_view cpu_folder = "sim/timing/cpus/", data_folder = "sim/timing/data/";

std::string listed(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string read_file(const std::filesystem::path& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > 64u << 20) throw DataError(path.string() + ": is larger than 64 MiB: no data of the model");
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!error) text << in.rdbuf();
    if (error || !in) throw DataError(path.string() + ": cannot be read" + (error ? ": " + error.message() : ""));
    return std::move(text).str();
}

void read_parameters(ObjectReader& top, Cpu& cpu) {
    ObjectReader all = top.object("parameters");
    const auto parameter = [&](const char* name, auto&& read) {
        ObjectReader one = all.object(name);
        const nlohmann::json& value = one.get("value");
        read(one);
        cpu.parameters.push_back({name, value.is_string() ? value.get<std::string>() : value.dump(), one.evidence()});
        one.finish();
    };
    for (const NumberField& field : number_fields())
        parameter(field.name,
                  [&](ObjectReader& one) { cpu.machine.*field.member = one.number("value", field.least, field.most); });
    for (const UnitsField& field : units_fields())
        parameter(field.name, [&](ObjectReader& one) {
            for (const auto part : std::views::split(one.text("value"), '|')) {
                const std::string unit(part.begin(), part.end());
                if (std::ranges::find(cpu.units.names(), unit) == cpu.units.names().end())
                    one.fail("value", "'" + unit + "' is no execution unit of the scheduling data, which has " +
                                          listed(cpu.units.names()));
            }
            cpu.machine.*field.member = cpu.units.mask(one.text("value"));
        });
    for (const FlagField& field : flag_fields())
        parameter(field.name, [&](ObjectReader& one) { cpu.machine.*field.member = one.flag("value"); });
    parameter("placement", [&](ObjectReader& one) {
        static const std::map<std::string, Placement> names = {
            {"smt", Placement::smt}, {"near", Placement::near}, {"far", Placement::far}};
        const auto found = names.find(one.text("value"));
        if (found == names.end()) one.fail("value", "is not smt, near or far");
        cpu.machine.placement = found->second;
    });
    all.finish();
    const auto weaker = [](Provenance a, Provenance b) { return is_guess(a) ? a : b; };
    cpu.machine.from = {
        .dispatch_width = cpu.origin("dispatch_width"),
        .taken_branches = cpu.origin("taken_branch_eighths"),
        .reorder_buffer = cpu.origin("reorder_buffer"),
        .schedulers = weaker(cpu.origin("integer_scheduler"), cpu.origin("vector_scheduler")),
        .load_queue = cpu.origin("load_queue"),
        .store_queue = cpu.origin("store_queue"),
        .memory_renaming = cpu.origin("memory_renaming"),
        .load_integer = cpu.origin("load_integer"),
        .load_vector = cpu.origin("load_vector"),
        .forwarding = cpu.origin("forward_integer"),
    };
    const char* const transfer = cpu.machine.placement == Placement::smt   ? "transfer_smt"
                                 : cpu.machine.placement == Placement::far ? "transfer_far"
                                                                           : "transfer_near";
    for (const auto& [wait, name] : {std::pair{Wait::l2, "l2_latency"},
                                     {Wait::l3, "l3_latency"},
                                     {Wait::memory, "dram_latency"},
                                     {Wait::tlb, "l2_tlb_latency"},
                                     {Wait::coherence, transfer}})
        cpu.machine.from.levels[static_cast<std::size_t>(wait)] = cpu.origin(name);
    Provenance& lines = cpu.machine.from.levels[static_cast<std::size_t>(Wait::coherence)];
    lines = weaker(cpu.origin("placement"), lines);
}

void read_scheduling(ObjectReader& top, Cpu& cpu) {
    const std::string name = top.text("scheduling");
    const std::string_view text = built_in(name + ".sched");
    if (text.empty()) {
        std::vector<std::string> known;
        for (const std::string& file : built_in_names(".sched")) known.push_back(file.substr(0, file.rfind('.')));
        top.fail("scheduling", "there is no table of LLVM's CPU '" + name + "', only of " + listed(known));
    }
    cpu.scheduling = Scheduling(text, std::string(data_folder) + name + ".sched", cpu.units);
}

// `of_another`: see Overlay::read.
void read_overlay(ObjectReader& top, Cpu& cpu, const std::string& name, const std::string& of_another) {
    if (const std::string_view text = built_in(name); !text.empty())
        return cpu.overlay.read(text, std::string(data_folder) + name, cpu.units, of_another);
    const auto path = std::filesystem::path(cpu.file).parent_path() / name;
    std::error_code none;
    if (!std::filesystem::exists(path, none)) top.fail("overlays", "there is no file '" + name + "'");
    cpu.overlay.read(read_file(path), path.string(), cpu.units, of_another);
}

// Groups of units that are others than in the scheduling data and the inherited overlay, which are of another CPU.
void read_regrouped(ObjectReader& top, Cpu& cpu) {
    if (!top.has("regrouped")) return;
    const nlohmann::json& list = top.get("regrouped");
    if (!list.is_array()) top.fail("regrouped", "is not a list");
    for (const nlohmann::json& element : list) {
        ObjectReader one(element, cpu.file + ": regrouped");
        const std::string from = one.text("from"), to = one.text("to");
        cpu.units.regroup(from, to);
        cpu.parameters.push_back({"units " + from, to, one.evidence()});
        one.finish();
    }
}

void read_inherited(ObjectReader& top, Cpu& cpu) {
    if (!top.has("inherits")) return;
    ObjectReader inherited = top.object("inherits");
    read_overlay(top, cpu, inherited.text("overlay"), inherited.text("why"));
    inherited.finish();
}

void read_micro_fusion(ObjectReader& top, Cpu& cpu) {
    if (!top.has("micro_fusion")) return;
    ObjectReader one = top.object("micro_fusion");
    cpu.micro_fusion = one.flag("value");
    cpu.parameters.push_back({"micro_fusion", cpu.micro_fusion ? "true" : "false", one.evidence()});
    one.finish();
}

void read_out_of_order(ObjectReader& top, Cpu& cpu) {
    if (top.has("own_units"))  // beside those of the scheduling data
        for (const std::string& name : top.texts("own_units")) cpu.units.number(name);
    read_regrouped(top, cpu);
    read_scheduling(top, cpu);
    read_inherited(top, cpu);
    cpu.units.forget_regrouping();
    read_micro_fusion(top, cpu);
    read_parameters(top, cpu);
    cpu.scheduling.adapt(cpu.machine.vector_units, cpu.machine.vector_path_bytes == 64, cpu.machine.vector_latency);
    for (const std::string& name : top.texts("overlays")) read_overlay(top, cpu, name, "");
    cpu.overlay.finish(cpu.file);
}

std::string_view built_in_cpu(std::string_view name) {
    const std::string_view text = built_in(std::string(name) + ".json");
    if (text.empty())
        throw DataError("no CPU '" + std::string(name) + "' to model: use " + listed(cpu_names()) +
                        ", or the path of a file like " + std::string(cpu_folder) +
                        "znver4.json; exo-dev cpus tells of each");
    return text;
}

}  // namespace

ProvenanceCounts Cpu::counts() const {
    ProvenanceCounts counts = overlay.counts();
    for (const Parameter& parameter : parameters) ++counts[static_cast<std::size_t>(parameter.evidence.provenance)];
    return counts;
}

Provenance Cpu::origin(std::string_view parameter) const {
    const auto found = std::ranges::find(parameters, parameter, &Parameter::name);
    return found == parameters.end() ? Provenance::placeholder : found->evidence.provenance;
}

std::shared_ptr<const Cpu> load_cpu(std::string_view name) {
    const auto cpu = std::make_shared<Cpu>();
    const bool path = name.find('/') != name.npos || name.ends_with(".json");
    cpu->file = path ? std::string(name) : std::string(cpu_folder) + std::string(name) + ".json";
    const nlohmann::json document = parse_json(path ? read_file(name) : built_in_cpu(name), cpu->file);
    ObjectReader top(document, cpu->file);
    cpu->name = top.text("name");
    cpu->describes = top.text("describes");
    const std::string model = top.text("model");
    if (model == "ideal") {
        cpu->ideal = true;
    } else if (model == "out-of-order") {
        read_out_of_order(top, *cpu);
    } else {
        top.fail("model", "'" + model + "' is neither out-of-order nor ideal");
    }
    top.finish();
    return cpu;
}

std::vector<std::string> cpu_names() {
    std::vector<std::string> names;
    for (const std::string& file : built_in_names(".json"))
        if (!file.ends_with(".overlay.json")) names.push_back(file.substr(0, file.rfind('.')));
    return names;
}

}  // namespace sim::timing
