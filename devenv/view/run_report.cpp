// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/environment.hpp>
#include <devenv/extra_interrupts.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/spending_report.hpp>
#include <devenv/view/table.hpp>
#include <unordered_map>

namespace devenv {

namespace {

constexpr std::size_t name_columns = 56;
constexpr std::size_t unlimited = 1 << 20;
constexpr std::size_t irq_at_lines = 16;
const Column mostly_column{"mostly", Align::left, true};  // what most cycles were spent on

Json spread_json(const sim::MarkSummary::Spread& spread) {
    return {{"min", spread.min}, {"median", spread.median}, {"p99", spread.p99}, {"total", spread.total}};
}

// min, median and p99 are cycles, as in the table; the two groups repeat them with totals.
Json mark_json(const sim::MarkSummary& mark) {
    return {{"name", mark.name},
            {"count", mark.count},
            {"min", mark.cycles.min},
            {"median", mark.cycles.median},
            {"p99", mark.cycles.p99},
            {"median_range", range_json(mark.cycles.median, mark.median_less, mark.median_more)},
            {"cycles", spread_json(mark.cycles)},
            {"total_range", range_json(mark.all.cycles, mark.all.less, mark.all.more)},
            {"placeholder_cycles", mark.all.placeholder_cycles},
            {"provenance", provenance_json(mark.all)},
            {"waits", waits_json(mark.all)},
            {"misses", misses_json(mark.all)},
            {"instructions", spread_json(mark.instructions)},
            {"first_index", mark.first_index}};
}

Json function_json(const sim::FunctionSummary& function) {
    return {{"name", function.name},
            {"address", hex(function.address)},
            {"instructions", function.instructions},
            {"cycles", function.cycles},
            {"range", range_json(function.cycles, function.less, function.more)},
            {"placeholder_cycles", function.placeholder_cycles},
            {"provenance", provenance_json(function)},
            {"waits", waits_json(function)},
            {"misses", misses_json(function)}};
}

std::string extra_interrupt_text(const ExtraInterrupt& extra) {
    const std::string at = grouped(extra.at) + ": ";
    if (!extra.delivered_at) return at + "not delivered: " + extra.reason;
    return at + "delivered at " + grouped(*extra.delivered_at) +
           (*extra.delivered_at == extra.at ? "" : ", interrupts were masked before");
}

Json extra_interrupts_json(const Simulated& run, const Scenario& scenario) {
    Json list = Json::array();
    for (const ExtraInterrupt& extra : extra_interrupts(scenario.irq_at, run.result)) {
        list.push_back({{"at", extra.at},
                        {"delivered_at", extra.delivered_at ? Json(*extra.delivered_at) : Json(nullptr)},
                        {"reason", extra.reason.empty() ? Json(nullptr) : Json(extra.reason)}});
    }
    return list;
}

// Names as `trace show --symbol` takes them: functions that share one (short names leave template arguments out) have
// their address behind it, so that no two rows look the same.
std::vector<std::string> distinct_names(const std::vector<sim::FunctionSummary>& functions, std::size_t width) {
    std::unordered_map<std::string_view, std::size_t> uses;
    for (const sim::FunctionSummary& f : functions) ++uses[f.name];
    std::vector<std::string> names;
    for (const sim::FunctionSummary& f : functions) {
        const std::string suffix = uses[f.name] > 1 ? "@" + hex(f.address) : "";
        names.push_back(shorten(f.name, width - suffix.size()) + suffix);
    }
    return names;
}

// For a shell.
std::string quoted(const std::string& text) {
    return text.find_first_of(" ()<>*&;|") == std::string::npos ? text : "'" + text + "'";
}

// Instructions without a cost.
std::string unknown_text(const std::vector<sim::UnknownInstruction>& unknown) {
    constexpr std::size_t most = 12;
    std::string out;
    for (std::size_t i = 0; i < std::min(most, unknown.size()); ++i)
        out += (i ? ", " : "") + unknown[i].opcode + " " + grouped(unknown[i].count);
    if (unknown.size() > most) out += " and " + grouped(unknown.size() - most) + " more, see --json";
    return out + ": times executed; nobody knows their cost";
}

const sim::MarkSummary* most_repeated(const std::vector<sim::MarkSummary>& marks) {
    const sim::MarkSummary* best = nullptr;
    for (const sim::MarkSummary& mark : marks) {
        if (mark.cycles.median > 0 && (!best || mark.count > best->count)) best = &mark;
    }
    return best;
}

}  // namespace

std::string marks_table(const std::vector<sim::MarkSummary>& marks, bool any, const Style& style) {
    if (!any) return "  the image has no marks: figures are by function and in total\n";
    Table table(
        {{"mark", Align::left}, {"count"}, {"min cycles"}, {"median"}, {"p99"}, {"instructions"}, mostly_column});
    for (const sim::MarkSummary& mark : marks) {
        table.row({shorten(mark.name, name_columns), grouped(mark.count), grouped(mark.cycles.min),
                   ranged(mark.cycles.median, mark.median_less, mark.median_more), grouped(mark.cycles.p99),
                   grouped(mark.instructions.median), main_wait(mark.all)});
    }
    return table.empty() ? "  no marks were reached\n" : table.text(style);
}

std::string functions_table(const std::vector<sim::FunctionSummary>& functions, std::uint64_t all_cycles,
                            std::size_t rows, const Style& style) {
    Table table({{"function", Align::left}, {"cycles"}, {"share"}, {"instructions"}, mostly_column});
    sim::Spending rest;
    const std::vector<std::string> names = distinct_names(functions, name_columns);
    for (std::size_t i = 0; i < functions.size(); ++i) {
        const sim::FunctionSummary& f = functions[i];
        if (i < rows) {
            table.row({names[i], ranged(f.cycles, f.less, f.more),
                       percent(static_cast<double>(f.cycles), static_cast<double>(all_cycles)), grouped(f.instructions),
                       main_wait(f)});
        } else {
            rest += f;
        }
    }
    if (functions.size() > rows) {
        table.row({"(" + grouped(functions.size() - rows) + " more)", ranged(rest.cycles, rest.less, rest.more),
                   percent(static_cast<double>(rest.cycles), static_cast<double>(all_cycles)),
                   grouped(rest.instructions), main_wait(rest)});
    }
    return table.text(style);
}

std::string figures_text(const Simulated& run, bool marks, const FiguresOptions& options, const Style& style) {
    return marks_table(run.marks, marks, style) + "\n" +
           functions_table(run.functions, run.spent.cycles, options.top, style) + "\n" +
           (options.stack ? stack_table(run.marks, run.functions, options.top, style) : "") +
           (options.misses ? misses_table(run.marks, run.functions, options.top, style) : "") +
           (options.sources ? provenance_table(run.marks, run.functions, options.top, style) : "");
}

std::string total_line(const std::string& name, const std::string& value, const Style& style) {
    constexpr std::size_t indent = 16;
    const std::string begin = "  " + name;
    return wrapped(begin + std::string(indent - begin.size(), ' ') + value, style.width, indent) + "\n";
}

std::string spending_lines(const Simulated& run, const Style& style) {
    return total_line("cycles", grouped(run.spent.cycles) + " (" + certainty_text(run.spent) + ")", style) +
           total_line("spent on", waits_text(run.spent), style) +
           total_line("resting on", provenance_text(run.spent), style) +
           total_line("misses", misses_text(run.spent), style) +
           (run.unknown.empty() ? "" : total_line("placeholders", unknown_text(run.unknown), style));
}

std::string model_line(const Simulated& run, const Style& style) {
    return total_line(
        "timing model",
        run.model + " (" + run.model_cpu + ")" + (run.model_description.empty() ? "" : ": " + run.model_description),
        style);
}

std::string totals_text(const Simulated& run, const Scenario& scenario, const Style& style) {
    std::string out = style.bold("  totals") + "\n";
    const auto line = [&](const char* name, const std::string& value) { out += total_line(name, value, style); };
    line("stop", std::string(sim::name(run.result.stop)));
    line("instructions", grouped(run.result.instructions));
    if (scenario.cpus > 1) {
        std::string each;
        for (std::size_t i = 0; i < run.result.cpu_instructions.size(); ++i)
            each += (i ? ", " : "") + ("CPU " + std::to_string(i) + " ") + grouped(run.result.cpu_instructions[i]);
        line("of which", each);
    }
    out += spending_lines(run, style);
    line("time", seconds(run.wall_s) + ", " + decimal(run.mips(), 1) + " M instructions/s");
    line("engine", run.engine + " " + run.engine_version + ", CPU " + run.cpu);
    line("clock", scenario.clock + ", seed " + std::to_string(scenario.seed) + (scenario.jitter ? ", jitter" : ""));
    std::size_t listed = 0;
    for (const ExtraInterrupt& extra : extra_interrupts(scenario.irq_at, run.result)) {
        if (listed++ < irq_at_lines) line("irq-at", extra_interrupt_text(extra));
    }
    if (listed > irq_at_lines) line("irq-at", grouped(listed - irq_at_lines) + " more: see --json");
    out += model_line(run, style);
    if (run.trace && run.trace->error.empty())
        line("trace", display(run.trace->path) + ", " + byte_size(run.trace->bytes));
    return out;
}

// After a run that ended well: where the cycles are. After another: how it came to its end.
std::string next_steps_text(const Simulated& run, bool ours, const Style& style) {
    std::string out;
    const auto step = [&](const std::string& command, const char* what) {
        if (out.empty()) out = style.bold("  try next") + "\n";
        out += "  ./exo-dev " + command + "\n      " + style.dim(what) + "\n";
    };
    const bool ended_well =
        run.result.stop == sim::StopReason::power_off || run.result.stop == sim::StopReason::window_end;
    if (run.trace && run.trace->error.empty()) {
        const std::string show = "trace show " + display(run.trace->path);
        if (!ended_well) {
            constexpr std::uint64_t last = 100;
            const std::uint64_t from = run.result.instructions - std::min(run.result.instructions, last);
            step(show + " --from " + std::to_string(from) + " --count 100", "the last instructions before its end");
        } else if (const sim::MarkSummary* mark = most_repeated(run.marks)) {
            // Not the first window: caches and predictors are cold there.
            const std::uint64_t window = mark->count / 2 + 1;
            step(show + " --mark " + mark->name + ":" + std::to_string(window),
                 "every instruction of one pass, with its cycle");
        }
        if (ended_well && !run.functions.empty()) {
            const std::string costliest = distinct_names(run.functions, unlimited).front();
            step(show + " --symbol " + quoted(costliest), "where the costliest function spends them");
        }
    }
    if (!ended_well) return run.trace ? out : "";
    if (ours) step("diff HEAD", "what your uncommitted changes cost, in cycles, by mark and function");
    return out;
}

Json run_json(const Simulated& run, const Scenario& scenario) {
    return {{"schema", report_schema},
            {"engine", run.engine},
            {"engine_version", run.engine_version},
            {"cpu", run.cpu},
            {"clock", scenario.clock},
            {"seed", scenario.seed},
            {"jitter", scenario.jitter},
            {"irq_at", extra_interrupts_json(run, scenario)},
            {"limit", scenario.limit},
            {"ram_mib", scenario.ram_mib},
            {"cpus", scenario.cpus},
            {"quantum", scenario.quantum},
            {"cpu_instructions", run.result.cpu_instructions},
            {"command_line", scenario.guest_command_line()},
            {"stop", std::string(sim::name(run.result.stop))},
            {"detail", run.result.detail},
            {"guest_code", run.result.guest_code},
            {"instructions", run.result.instructions},
            {"wall_s", run.wall_s},
            {"mips", run.mips()},
            {"console", run.console}};
}

Json figures_json(const Simulated& run) {
    Json json = {{"model", run.model},
                 {"model_cpu", run.model_cpu},
                 {"cycles", run.spent.cycles},
                 {"cycles_range", range_json(run.spent.cycles, run.spent.less, run.spent.more)},
                 {"placeholder_cycles", run.spent.placeholder_cycles},
                 {"placeholder_share", run.spent.guessed_share()},
                 {"provenance", provenance_json(run.spent)},
                 {"waits", waits_json(run.spent)},
                 {"misses", misses_json(run.spent)}};
    json["unknown_instructions"] = Json::array();
    for (const sim::UnknownInstruction& one : run.unknown)
        json["unknown_instructions"].push_back({{"opcode", one.opcode}, {"count", one.count}});
    json["marks"] = Json::array();
    for (const sim::MarkSummary& mark : run.marks) json["marks"].push_back(mark_json(mark));
    json["functions"] = Json::array();
    for (const sim::FunctionSummary& function : run.functions) json["functions"].push_back(function_json(function));
    return json;
}

Json sim_json(const Simulated& run, const Scenario& scenario) {
    Json json = run_json(run, scenario);
    json.update(figures_json(run));
    json["trace"] = nullptr;
    if (run.trace) {
        json["trace"] = {{"path", display(run.trace->path)}, {"bytes", run.trace->bytes}};
        if (!run.trace->error.empty()) json["trace"]["error"] = run.trace->error;
    }
    return json;
}

std::string json_document(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }
std::string json_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace devenv
