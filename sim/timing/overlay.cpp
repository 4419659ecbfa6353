// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <optional>
#include <sim/timing/json_reader.hpp>
#include <sim/timing/overlay.hpp>

namespace sim::timing {

namespace {

constexpr std::uint32_t cycles_most = 1u << 30;

// By the numbers of Special and SystemEvent; "" has no cost of this kind.
constexpr std::string_view special_names[] = {
    "",       "",       "hlt",     "pause",        "rdtsc",       "rdtscp", "cpuid",   "in",
    "out",    "rdmsr",  "wrmsr",   "mov_to_cr",    "mov_from_cr", "mov_dr", "invlpg",  "lgdt",
    "lidt",   "ltr",    "lldt",    "swapgs",       "syscall",     "sysret", "iret",    "int_n",
    "int3",   "ud",     "cli",     "sti",          "mov_ss",      "pushf",  "popf",    "lfence",
    "mfence", "sfence", "rdrand",  "xgetbv",       "xsetbv",      "fxsave", "fxrstor", "xsave",
    "xrstor", "wbinvd", "clflush", "far_transfer", "fsgsbase",    "stac",   "clac",    "",
    ""};
static_assert(std::size(special_names) == static_cast<std::size_t>(Special::unsupported) + 1);

constexpr std::string_view event_names[] = {"exception_entry", "interrupt_entry", "software_entry", "device_access"};
static_assert(std::size(event_names) == static_cast<std::size_t>(SystemEvent::count_));

constexpr std::string_view string_opcodes[] = {"MOVSB", "STOSB", "LODSB", "SCASB", "CMPSB"};

template <std::size_t n>
std::optional<std::size_t> index_of(const std::string_view (&names)[n], std::string_view name) {
    const auto found = std::find(std::begin(names), std::end(names), name);
    if (name.empty() || found == std::end(names)) return std::nullopt;
    return static_cast<std::size_t>(found - std::begin(names));
}

// One number, or [low, likely, high].
Range range(ObjectReader& entry, const char* field, std::uint32_t most) {
    const auto list = entry.numbers(field);
    if (list.size() != 1 && list.size() != 3) entry.fail(field, "is neither a number nor [low, likely, high]");
    const Range cycles = list.size() == 1 ? Range{list[0], list[0], list[0]} : Range{list[0], list[1], list[2]};
    if (cycles.low > cycles.likely || cycles.likely > cycles.high) entry.fail(field, "low, likely, high do not ascend");
    if (cycles.high > most) entry.fail(field, "is more than " + std::to_string(most));
    return cycles;
}

// "instructions[3] (MOV32ri)", so that an entry is found again.
std::string entry_place(const std::string& file, const char* list, std::size_t number, const nlohmann::json& entry) {
    std::string name;
    for (const char* field : {"instruction", "event", "opcodes"}) {
        if (!entry.is_object() || !entry.contains(field)) continue;
        const nlohmann::json& value = entry[field];
        if (value.is_string()) name = value;
        else if (value.is_array() && !value.empty() && value[0].is_string()) name = value[0];
        break;
    }
    return file + ": " + list + "[" + std::to_string(number) + "]" + (name.empty() ? "" : " (" + name + ")");
}

bool any_matches(const std::vector<std::string>& globs, std::string_view name) {
    return std::ranges::any_of(globs, [&](const std::string& glob) { return glob_matches(glob, name); });
}

}  // namespace

bool glob_matches(std::string_view glob, std::string_view text) {
    std::size_t g = 0, t = 0, star = glob.npos, from = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') star = g++, from = t;
        else if (g < glob.size() && glob[g] == text[t]) ++g, ++t;
        else if (star != glob.npos) g = star + 1, t = ++from;
        else return false;
    }
    while (g < glob.size() && glob[g] == '*') ++g;
    return g == glob.size();
}

std::string_view special_name(Special special) { return special_names[static_cast<std::size_t>(special)]; }

Range StringCost::cycles(std::uint64_t bytes) const {
    std::uint64_t likely;
    const auto after = std::ranges::find_if(points, [&](const auto& point) { return bytes <= point.first; });
    if (after == points.begin()) {
        likely = points.front().second;
    } else if (after != points.end()) {
        const auto [x0, y0] = after[-1];
        const auto [x1, y1] = *after;
        likely = y0 + (bytes - x0) * (y1 - y0) / (x1 - x0);
    } else {
        const auto [x, y] = points.back();
        likely = x ? bytes / x * y + bytes % x * y / x : y;
    }
    const auto part = [&](std::uint64_t percent) {
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(likely * percent / 100, cycles_most));
    };
    return {part(low_percent), part(100), part(high_percent)};
}

Evidence Overlay::evidence_of(ObjectReader& entry) const {
    Evidence evidence = entry.evidence();
    if (evidence.provenance == Provenance::measured) {
        if (!measurements_.contains(evidence.text))
            entry.fail("measured", "'" + evidence.text + "' is not one of the file's measurements");
        if (evidence.patterns.empty()) entry.fail("patterns", "is missing: which of the measured patterns show it");
    }
    if (of_another_.empty() || evidence.provenance == Provenance::estimate) return evidence;
    return {Provenance::estimate, of_another_ + ": " + evidence.text, std::move(evidence.patterns)};
}

// What another CPU's figure may be here: half of it to twice as much.
Range Overlay::range_of(const Range& cycles, const Evidence& evidence) const {
    if (of_another_.empty() || !evidence.text.starts_with(of_another_)) return cycles;
    return {std::min(cycles.low, cycles.likely / 2), cycles.likely, std::max(cycles.high, 2 * cycles.likely)};
}

void Overlay::read_instruction(ObjectReader& entry, UnitNames& units) {
    InstructionCost one;
    one.opcodes = entry.texts("opcodes");
    const Range latency = range(entry, "latency", 10'000);
    one.cost.uops = static_cast<std::uint16_t>(entry.number("uops", 1, 1'000));
    one.cost.low = static_cast<std::uint16_t>(latency.low);
    one.cost.latency = static_cast<std::uint16_t>(latency.likely);
    one.cost.high = static_cast<std::uint16_t>(latency.high);
    try {
        if (entry.has("units")) one.cost.uses = parse_uses(entry.text("units"), units);
    } catch (const DataError& error) {
        entry.fail("units", error.what());
    }
    if (entry.has("to_itself")) {  // the latency from one of the entry's opcodes to another
        one.cost.shortcut = static_cast<std::uint16_t>(latency.likely - entry.number("to_itself", 0, latency.likely));
        if (next_kin_ == 255) entry.fail("to_itself", "is the 255th of its kind: there is no room for more");
        one.cost.kin = ++next_kin_;
    }
    if (entry.has("quotient")) {
        ObjectReader quotient(entry.get("quotient"), entry.place() + ": quotient");
        one.cost.quotient_latency = static_cast<std::uint16_t>(quotient.number("latency", 1, 1'000));
        one.cost.quotient_bits = static_cast<std::uint16_t>(quotient.number("bits_a_cycle", 1, 64));
        quotient.finish();
    }
    one.evidence = evidence_of(entry);
    one.cost.provenance = one.evidence.provenance;
    const Range here = range_of(latency, one.evidence);
    one.cost.low = static_cast<std::uint16_t>(here.low), one.cost.high = static_cast<std::uint16_t>(here.high);
    entry.text_or("note", "");
    entry.finish();
    const InstructionCost& kept = instructions_.emplace_front(std::move(one));
    for (const std::string& name : kept.opcodes)
        if (name.find('*') == name.npos) by_opcode_[name] = &kept.cost;
        else by_glob_.insert(by_glob_.begin(), {name, &kept.cost});
}

void Overlay::read_system(ObjectReader& entry) {
    SystemCost one;
    if (entry.has("event")) {
        one.name = entry.text("event");
        const auto found = index_of(event_names, one.name);
        if (!found) entry.fail("event", "there is no event '" + one.name + "'");
        one.event = static_cast<SystemEvent>(*found);
    } else {
        one.name = entry.text("instruction");
        const auto found = index_of(special_names, one.name);
        if (!found) entry.fail("instruction", "there is no system instruction '" + one.name + "'");
        one.special = static_cast<Special>(*found);
        if (entry.has("opcodes")) one.opcodes = entry.texts("opcodes");
        if (entry.has("register")) one.control_register = static_cast<int>(entry.number("register", 0, 15));
    }
    one.cycles = range(entry, "cycles", cycles_most);
    one.drains = entry.flag("drains");
    if (entry.has("latency")) one.latency = entry.number("latency", 1, cycles_most);
    if (entry.has("modified")) one.modified = entry.number("modified", 1, cycles_most);
    one.evidence = evidence_of(entry);
    one.cycles = range_of(one.cycles, one.evidence);
    entry.text_or("note", "");
    entry.finish();
    systems_.push_front(std::move(one));
}

void Overlay::read_string(ObjectReader& entry) {
    StringCost one;
    one.opcodes = entry.texts("opcodes");
    one.rep = entry.flag("rep");
    const nlohmann::json& points = entry.get("points");
    if (!points.is_array() || points.empty()) entry.fail("points", "is not a list of [bytes, cycles]");
    for (const nlohmann::json& point : points) {
        if (!point.is_array() || point.size() != 2 || !point[0].is_number_unsigned() ||
            !point[1].is_number_unsigned() || point[0].get<std::uint64_t>() > cycles_most ||
            point[1].get<std::uint64_t>() > cycles_most)
            entry.fail("points", "has what is not [bytes, cycles]: " + point.dump());
        const std::pair<std::uint32_t, std::uint32_t> next(point[0], point[1]);
        if (!one.points.empty() && (next.first <= one.points.back().first || next.second < one.points.back().second))
            entry.fail("points", "bytes or cycles do not ascend at " + point.dump());
        one.points.push_back(next);
    }
    if (entry.has("low_percent")) one.low_percent = entry.number("low_percent", 0, 100);
    if (entry.has("high_percent")) one.high_percent = entry.number("high_percent", 100, 10'000);
    one.evidence = evidence_of(entry);
    if (range_of({1, 1, 1}, one.evidence).high > 1)
        one.low_percent = std::min(one.low_percent, 50u), one.high_percent = std::max(one.high_percent, 200u);
    entry.text_or("note", "");
    entry.finish();
    strings_.push_front(std::move(one));
}

void Overlay::read(std::string_view text, const std::string& file, UnitNames& units, const std::string& of_another) {
    of_another_ = of_another;
    const nlohmann::json document = parse_json(text, file);
    ObjectReader top(document, file);
    if (top.has("measurements"))
        for (const auto& [name, value] : top.get("measurements").items()) {
            ObjectReader series(value, file + ": measurements: " + name);
            measurements_[name] = {series.text("tool"), series.text("machine"), series.text("date"),
                                   series.text("spread")};
            series.finish();
        }
    const auto each = [&](const char* list, auto&& read_one) {
        if (!top.has(list)) return;
        const nlohmann::json& entries = top.get(list);
        if (!entries.is_array()) top.fail(list, "is not a list");
        for (std::size_t i = 0; i < entries.size(); ++i) {
            ObjectReader entry(entries[i], entry_place(file, list, i, entries[i]));
            read_one(entry);
        }
    };
    each("instructions", [&](ObjectReader& entry) { read_instruction(entry, units); });
    each("system", [&](ObjectReader& entry) { read_system(entry); });
    each("strings", [&](ObjectReader& entry) { read_string(entry); });
    top.finish();
    files_.push_back(file);
}

const Cost* Overlay::find(std::string_view opcode) const {
    if (const auto found = by_opcode_.find(opcode); found != by_opcode_.end()) return found->second;
    for (const auto& [glob, cost] : by_glob_)
        if (glob_matches(glob, opcode)) return cost;
    return nullptr;
}

const SystemCost* Overlay::system(Special special, std::string_view opcode, int control_register) const {
    const SystemCost* general = nullptr;
    for (const SystemCost& one : systems_) {
        if (one.event != SystemEvent::count_ || one.special != special) continue;
        if (one.opcodes.empty() && one.control_register < 0) {
            if (!general) general = &one;
        } else if ((one.opcodes.empty() || any_matches(one.opcodes, opcode)) &&
                   (one.control_register < 0 || one.control_register == control_register)) {
            return &one;
        }
    }
    return general;
}

const SystemCost& Overlay::event(SystemEvent event) const {
    for (const SystemCost& one : systems_)
        if (one.event == event) return one;
    throw DataError("no cost of " + std::string(event_names[static_cast<std::size_t>(event)]));
}

const StringCost* Overlay::string(std::string_view opcode, bool rep) const {
    for (const StringCost& one : strings_)
        if (one.rep == rep && any_matches(one.opcodes, opcode)) return &one;
    return nullptr;
}

void Overlay::finish(const std::string& file) const {
    for (std::size_t i = 0; i < std::size(special_names); ++i)
        if (!special_names[i].empty() && !system(static_cast<Special>(i), ""))
            throw DataError(file + ": system: no entry for every '" + std::string(special_names[i]) +
                            "' (one without opcodes and register)");
    for (const std::string_view name : event_names)
        if (std::ranges::none_of(systems_, [&](const SystemCost& one) { return one.name == name; }))
            throw DataError(file + ": system: no entry for the event '" + std::string(name) + "'");
    for (const std::string_view opcode : string_opcodes)
        for (const bool rep : {false, true})
            if (!string(opcode, rep))
                throw DataError(file + ": strings: no entry for " + (rep ? "rep " : "") + std::string(opcode));
}

ProvenanceCounts Overlay::counts() const {
    ProvenanceCounts counts{};
    const auto count = [&](const auto& list) {
        for (const auto& one : list) ++counts[static_cast<std::size_t>(one.evidence.provenance)];
    };
    count(instructions_), count(systems_), count(strings_);
    return counts;
}

}  // namespace sim::timing
