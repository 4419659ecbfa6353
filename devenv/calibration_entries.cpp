// SPDX-License-Identifier: GPL-2.0-or-later
// Which figures make which entry of the overlay. What cannot be timed alone is a difference, or half of a pair: said in
// the entry's note.
#include <algorithm>
#include <devenv/calibration.hpp>
#include <optional>
#include <set>

namespace devenv {

namespace {

// Whether a hypervisor gets between: its exit and entry would be measured instead.
enum class Exits : std::uint8_t { never, maybe, always };
struct Exiting {
    std::string_view figure;
    Exits exits;
};
constexpr Exiting exiting[] = {{"cpuid", Exits::always},
                               {"in_80", Exits::always},
                               {"out_80", Exits::always},
                               {"xsetbv", Exits::always},
                               {"mov_to_cr0", Exits::always},
                               {"mov_to_cr4", Exits::always},
                               {"mov_from_dr7", Exits::always},
                               {"mov_to_dr7", Exits::always},
                               {"rdmsr_efer", Exits::always},
                               {"wrmsr_star", Exits::always},
                               {"rdmsr_fs_base", Exits::maybe},
                               {"wrmsr_fs_base", Exits::maybe},
                               {"invlpg", Exits::maybe},
                               {"invpcid", Exits::maybe},
                               {"mov_to_cr3", Exits::maybe},
                               {"mov_to_cr3_pcid", Exits::maybe},
                               {"mov_to_cr3_noflush", Exits::maybe},
                               {"mov_from_cr0", Exits::maybe},
                               {"mov_from_cr3", Exits::maybe},
                               {"mov_from_cr4", Exits::maybe},
                               {"rdtsc", Exits::maybe},
                               {"rdtscp", Exits::maybe},
                               {"pause", Exits::maybe},
                               {"ud2", Exits::maybe},
                               {"lgdt", Exits::maybe},
                               {"lidt", Exits::maybe},
                               {"ltr", Exits::maybe}};
Exits exits_of(std::string_view figure) {
    const auto found = std::ranges::find(exiting, figure, &Exiting::figure);
    return found == std::end(exiting) ? Exits::never : found->exits;
}
// An exit and the way back take more than this everywhere; none of what may exit takes as long by itself.
constexpr std::uint64_t exit_millicycles = 700'000;

// A sum of figures, the first one's sign plus: "a - b + c"; divided: of a pair.
struct Formula {
    std::vector<std::string_view> terms;  // "a", "-b", "+c"
    unsigned divisor = 1;
};
struct Rule {
    const char* kind = "instruction";
    const char* name;
    int control_register = -1;
    std::vector<std::string> opcodes;
    bool drains;
    std::vector<Formula> formulas;  // the first usable one is likely; all of them make the range
    const char* note = "";
};

const Formula iret_to_ring3{{"iretq_syscall", "-syscall_ring0"}};
const Formula entry_from_ring3{{"int3_iretq_ring3", "-iretq_syscall", "+syscall_ring0"}};

const std::vector<Rule>& rules() {
    const char *half = "half of the pair", *registers = "likely: a serialising one; range: FS base too";
    const char *i = "instruction", *event = "event";
    static const std::vector<Rule> list = {
        {i, "rdtsc", -1, {}, false, {{{"rdtsc"}}}},
        {i, "rdtscp", -1, {}, true, {{{"rdtscp"}}}},
        {i, "swapgs", -1, {}, false, {{{"swapgs_pair"}, 2}}, half},
        {i, "cli", -1, {}, false, {{{"sti_cli"}, 2}}, half},
        {i, "sti", -1, {}, false, {{{"sti_cli"}, 2}}, half},
        {i, "pushf", -1, {}, false, {{{"pushfq_popfq"}, 2}}, half},
        {i, "popf", -1, {}, false, {{{"pushfq_popfq"}, 2}}, half},
        {i, "mov_from_cr", -1, {}, false, {{{"mov_from_cr0"}}}},
        {i, "mov_from_cr", 3, {}, false, {{{"mov_from_cr3"}}}},
        {i, "mov_from_cr", 4, {}, false, {{{"mov_from_cr4"}}}},
        {i, "mov_to_cr", -1, {}, true, {{{"mov_to_cr0"}}}, "the value that was there"},
        {i, "mov_to_cr", 3, {}, true, {{{"mov_to_cr3"}}}, "without PCID; the misses afterwards are not in it"},
        {i, "mov_to_cr", 4, {}, true, {{{"mov_to_cr4"}}}, "the value that was there"},
        {i, "mov_dr", -1, {}, true, {{{"mov_to_dr7"}}}},
        {i, "mov_dr", -1, {"MOV64rd"}, false, {{{"mov_from_dr7"}}}},
        {i, "rdmsr", -1, {}, false, {{{"rdmsr_efer"}}, {{"rdmsr_fs_base"}}}, "likely: EFER; range: FS base too"},
        {i, "wrmsr", -1, {}, true, {{{"wrmsr_star"}}, {{"wrmsr_fs_base"}}}, registers},
        {i, "invlpg", -1, {}, true, {{{"invlpg"}}}},
        {i, "cpuid", -1, {}, true, {{{"cpuid"}}}, "leaf 0"},
        {i, "in", -1, {}, true, {{{"in_80"}}}, "port 80h; a device's own port may differ"},
        {i, "out", -1, {}, true, {{{"out_80"}}}, "port 80h; a device's own port may differ"},
        {i, "iret", -1, {}, true, {iret_to_ring3, {{"iretq"}}}, "likely: to ring 3; range: within ring 0 too"},
        {i, "syscall", -1, {}, true, {{{"syscall_ring0"}}}, "from ring 0, with the jump back"},
        {i, "sysret", -1, {}, true, {{{"sysret_syscall", "-syscall_ring0"}}}, "the pair less SYSCALL from ring 0"},
        {i, "far_transfer", -1, {}, true, {{{"lretq"}}}, "a far return, with two pushes"},
        {i, "mov_ss", -1, {}, false, {{{"mov_ss"}}}},
        {i, "lgdt", -1, {}, true, {{{"lgdt"}}}},
        {i, "lidt", -1, {}, true, {{{"lidt"}}}},
        {i, "ltr", -1, {}, true, {{{"ltr"}}}, "with the store that makes the descriptor available"},
        {i, "stac", -1, {}, false, {{{"stac_clac"}, 2}}, half},
        {i, "clac", -1, {}, false, {{{"stac_clac"}, 2}}, half},
        {i, "clflush", -1, {}, false, {{{"clflush"}}}, "a line that is in no cache"},
        {i, "fxsave", -1, {}, false, {{{"fxsave"}}}},
        {i, "fxrstor", -1, {}, false, {{{"fxrstor"}}}},
        {i, "xsave", -1, {}, false, {{{"xsave"}}}, "x87, SSE and, where it is, AVX in use"},
        {i, "xsave", -1, {"XSAVEOPT*"}, false, {{{"xsaveopt"}}}, "unchanged since the last"},
        {i, "xsave", -1, {"XSAVEC*"}, false, {{{"xsavec"}}}},
        {i, "xrstor", -1, {}, false, {{{"xrstor"}}}},
        {i, "xsetbv", -1, {}, true, {{{"xsetbv"}}}, "the value that was there"},
        {i, "mfence", -1, {}, true, {{{"mfence"}}}},
        {i, "lfence", -1, {}, true, {{{"lfence"}}}},
        {i, "sfence", -1, {}, false, {{{"sfence"}}}},
        {i, "pause", -1, {}, true, {{{"pause"}}}},
        {event,
         "exception_entry",
         -1,
         {},
         true,
         {entry_from_ring3, {{"ud2"}}},
         "likely: INT3 from ring 3, by differences; range: #UD within ring 0 too"},
        {event,
         "software_entry",
         -1,
         {},
         true,
         {entry_from_ring3, {{"int_n"}}},
         "likely: INT3 from ring 3, by differences; range: INT n within ring 0 too"},
    };
    return list;
}

struct Value {  // millicycles
    std::uint64_t low, likely, high;
};

std::string_view bare(std::string_view term) {
    return term.starts_with('-') || term.starts_with('+') ? term.substr(1) : term;
}

// Each bound with what makes it widest; none goes below zero. Nothing if a figure is missing.
std::optional<Value> value_of(const Formula& formula, const std::vector<const CalibrationFigure*>& usable) {
    std::int64_t low = 0, likely = 0, high = 0;
    for (const std::string_view term : formula.terms) {
        const auto found = std::ranges::find(usable, bare(term), &CalibrationFigure::name);
        if (found == usable.end()) return std::nullopt;
        const CalibrationFigure& f = **found;
        const bool minus = term.starts_with('-');
        low += minus ? -std::int64_t(f.high) : std::int64_t(f.least);
        likely += minus ? -std::int64_t(f.median) : std::int64_t(f.median);
        high += minus ? -std::int64_t(f.least) : std::int64_t(f.high);
    }
    const auto part = [&](std::int64_t value) {
        return std::uint64_t(std::max<std::int64_t>(value, 0)) / formula.divisor;
    };
    if (likely < 0) return std::nullopt;  // less than what is a part of it: no figure
    return Value{part(low), part(likely), part(high)};
}

// Core cycles: the range never loses what the rounding takes.
void take_range(CalibrationEntry& entry, const Value& likely, const std::vector<Value>& all) {
    std::uint64_t low = likely.low, high = likely.high;
    for (const Value& value : all) low = std::min(low, value.low), high = std::max(high, value.high);
    entry.low = low / 1000;
    entry.likely = (likely.likely + 500) / 1000;
    entry.high = std::max((high + 999) / 1000, entry.likely);
}

}  // namespace

CalibrationEntries make_entries(const Calibration& calibration, CalibrationSource source) {
    CalibrationEntries result;
    // Larger than any sum may be: a figure of an hour is none.
    constexpr std::uint64_t figure_most = 1'000'000'000'000;
    std::vector<const CalibrationFigure*> usable;
    for (const CalibrationFigure& figure : calibration.figures) {
        const Exits exits = source == CalibrationSource::guest ? exits_of(figure.name) : Exits::never;
        if (figure.high > figure_most) result.left_out.emplace_back(figure.name, "takes longer than can be");
        else if (exits == Exits::always)
            result.left_out.emplace_back(figure.name, "exits to the hypervisor, whose time it is");
        else if (exits == Exits::maybe && figure.median > exit_millicycles)
            result.left_out.emplace_back(figure.name, "takes as long as an exit to the hypervisor");
        else usable.push_back(&figure);
    }
    std::set<std::string_view> used;
    for (const Rule& rule : rules()) {
        CalibrationEntry entry{rule.kind, rule.name, rule.control_register, rule.opcodes, 0,
                               0,         0,         rule.drains,           {},           rule.note};
        std::vector<Value> values;
        for (const Formula& formula : rule.formulas) {
            const auto value = value_of(formula, usable);
            if (!value) continue;
            values.push_back(*value);
            for (const std::string_view term : formula.terms) {
                used.insert(bare(term));
                if (std::ranges::find(entry.patterns, bare(term)) == entry.patterns.end())
                    entry.patterns.emplace_back(bare(term));
            }
        }
        if (values.empty()) continue;
        take_range(entry, values.front(), values);
        result.entries.push_back(std::move(entry));
    }
    for (const CalibrationFigure* figure : usable)
        if (!used.contains(figure->name))
            result.left_out.emplace_back(
                figure->name, "makes no entry: the overlay has no place for it, or another figure is missing");
    return result;
}

nlohmann::ordered_json overlay_document(const Calibration& calibration, const CalibrationVerdict& verdict,
                                        const CalibrationEntries& made, const std::string& date) {
    using Json = nlohmann::ordered_json;
    const bool guest = verdict.source == CalibrationSource::guest;
    const char* series = guest ? "ring0_guest" : "ring0";
    const std::string machine =
        calibration.machine.text() + (guest ? ", measured in a guest of " + verdict.reason : "");
    Json system = Json::array();
    for (const CalibrationEntry& entry : made.entries) {
        Json one = {{entry.kind, entry.name}};
        if (!entry.opcodes.empty()) one["opcodes"] = entry.opcodes;
        if (entry.control_register >= 0) one["register"] = entry.control_register;
        one["cycles"] = {entry.low, entry.likely, entry.high};
        one["drains"] = entry.drains;
        one["measured"] = series;
        one["patterns"] = entry.patterns;
        const std::string note =
            entry.note + (guest ? std::string(entry.note.empty() ? "" : "; ") + "measured in a guest" : "");
        if (!note.empty()) one["note"] = note;
        system.push_back(std::move(one));
    }
    const Json measured = {
        {"tool", "exo-dev calibrate: ring 0, TSC against a chain of dependent adds beside each batch"},
        {"machine", machine},
        {"date", date},
        {"spread", "lowest, median and 90th percentile of 21 batches"}};
    return {{"measurements", {{series, measured}}}, {"system", system}};
}

}  // namespace devenv
