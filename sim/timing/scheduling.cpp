// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <charconv>
#include <ranges>
#include <sim/timing/scheduling.hpp>

namespace sim::timing {

namespace {

constexpr unsigned units_most = 32;

std::uint16_t number_in(std::string_view text) {
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw DataError("'" + std::string(text) + "' is not a number of cycles or operations");
    return value;
}

// The word behind `key` in a line of "key=word key=word".
std::string_view field(std::string_view line, std::string_view key) {
    const auto at = line.find(key);
    if (at == line.npos) throw DataError("no " + std::string(key));
    const auto word = line.substr(at + key.size());
    return word.substr(0, word.find(' '));
}

// "VPADDDZrr", not "VPADDDZ256rr" or "VPADDDYrr", nor a scalar one, "VADDSDZrr".
bool of_64_bytes(std::string_view opcode) {
    const auto at = opcode.rfind('Z');
    if (at == opcode.npos || at < 3 || !opcode.starts_with('V')) return false;
    const std::string_view kind = opcode.substr(at - 2, 2), behind = opcode.substr(at + 1);
    return kind != "SS" && kind != "SD" && kind != "SH" && !behind.starts_with("128") && !behind.starts_with("256");
}

Cost parse_cost(std::string_view line, UnitNames& units) {
    Cost cost;
    cost.uops = number_in(field(line, "uops="));
    for (const auto latency : std::views::split(field(line, "latency="), ','))
        if (const std::string_view word(latency); !word.empty()) cost.latency = std::max(cost.latency, number_in(word));
    cost.advance = number_in(field(line, "advance="));
    cost.uses = parse_uses(field(line, "units="), units);
    // What LLVM says of microcode that nobody has looked at.
    constexpr unsigned not_known = 100;
    if (cost.uops == not_known && cost.latency == not_known) {
        cost.provenance = Provenance::placeholder;
        cost.low = cost.high = cost.latency;
    }
    return cost;
}

}  // namespace

unsigned UnitNames::number(std::string_view name) {
    const auto found = std::ranges::find(names_, name);
    if (found != names_.end()) return static_cast<unsigned>(found - names_.begin());
    if (names_.size() == units_most) throw DataError("'" + std::string(name) + "' is one execution unit more than 32");
    names_.emplace_back(name);
    return static_cast<unsigned>(names_.size() - 1);
}

std::uint32_t UnitNames::mask(std::string_view names) {
    std::uint32_t mask = 0;
    for (const auto part : std::views::split(names, '|')) {
        const std::string_view name(part);
        if (name == "FP45*2") mask |= 1u << number("FP4") | 1u << number("FP5");
        else if (name.find('*') == name.npos && name != "FPSt") mask |= 1u << number(name);
    }
    for (const auto& [from, to] : regrouped_)
        if (mask == from) return to;
    return mask;
}

// Names in a row with numbers in a row become a range: ALU0-3.
std::string UnitNames::text(std::uint32_t units) const {
    std::vector<std::string> chosen;
    for (std::size_t i = 0; i < names_.size(); ++i)
        if (units >> i & 1) chosen.push_back(names_[i]);
    std::ranges::sort(chosen);
    std::string out;
    for (std::size_t i = 0; i < chosen.size();) {
        std::size_t last = i;
        while (last + 1 < chosen.size() && chosen[last + 1].size() == chosen[i].size() &&
               chosen[last + 1].substr(0, chosen[i].size() - 1) == chosen[i].substr(0, chosen[i].size() - 1) &&
               chosen[last + 1].back() == chosen[last].back() + 1)
            ++last;
        if (!out.empty()) out += '+';
        out += chosen[i];
        if (last > i) out += std::string("-") + chosen[last].back();
        i = last + 1;
    }
    return out;
}

void UnitNames::regroup(std::string_view from, std::string_view to) {
    const auto plain = std::exchange(regrouped_, {});
    const std::pair change(mask(from), mask(to));
    regrouped_ = plain;
    regrouped_.push_back(change);
}

std::vector<UnitUse> parse_uses(std::string_view text, UnitNames& units) {
    std::vector<UnitUse> uses;
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view use(part);
        if (use.empty()) continue;
        const auto colon = use.rfind(':');
        if (colon == use.npos) throw DataError("no cycles behind '" + std::string(use) + "'");
        const std::uint32_t mask = units.mask(use.substr(0, colon));
        const std::uint16_t cycles = number_in(use.substr(colon + 1));
        if (mask && cycles) uses.push_back({mask, cycles});
    }
    return uses;
}

Scheduling::Scheduling(std::string_view text, const std::string& file, UnitNames& units) {
    unsigned number = 0;
    for (const auto part : std::views::split(text, '\n')) {
        const std::string_view line(part);
        ++number;
        const auto fail = [&](const std::string& what) -> void {
            throw DataError(file + ": line " + std::to_string(number) + ": " + what);
        };
        if (line.starts_with("# ")) {
            const auto end = line.find(". ", line.find(','));
            origin_ = line.substr(2, end == line.npos ? end : end - 2);
        } else if (line.starts_with("uops=")) {
            try {
                costs_.push_back(parse_cost(line, units));
            } catch (const DataError& error) {
                fail(error.what());
            }
        } else if (!line.empty()) {
            if (costs_.empty()) fail("opcodes without costs before them");
            for (const auto name : std::views::split(line, ' '))
                if (const std::string_view word(name); !word.empty())
                    by_opcode_[word] = static_cast<std::uint32_t>(costs_.size() - 1);
        }
    }
    if (by_opcode_.empty()) throw DataError(file + ": it has no opcodes");
}

void Scheduling::adapt(std::uint32_t vector_units, bool whole_64_bytes, unsigned vector_latency) {
    const auto of_vectors = [&](const UnitUse& use) { return (use.units & vector_units) != 0; };
    for (Cost& cost : costs_)
        if (cost.advance == 0 && cost.latency && std::ranges::any_of(cost.uses, of_vectors))
            cost.latency = std::max<std::uint16_t>(cost.latency, static_cast<std::uint16_t>(vector_latency));
    if (!whole_64_bytes) return;
    std::unordered_map<std::uint32_t, std::uint32_t> halves;  // costs with both kinds of opcodes become two
    for (auto& [name, at] : by_opcode_) {
        if (!of_64_bytes(name)) continue;
        const auto [half, made] = halves.try_emplace(at, static_cast<std::uint32_t>(costs_.size()));
        if (made) {
            Cost cost = costs_[at];
            for (UnitUse& use : cost.uses)
                if (of_vectors(use)) use.cycles = static_cast<std::uint16_t>((use.cycles + 1) / 2);
            costs_.push_back(std::move(cost));
        }
        at = half->second;
    }
}

const Cost* Scheduling::find(std::string_view opcode) const {
    const auto found = by_opcode_.find(opcode);
    return found == by_opcode_.end() ? nullptr : &costs_[found->second];
}

}  // namespace sim::timing
