// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <charconv>
#include <ranges>
#include <sim/timing/scheduling.hpp>
#include <stdexcept>

namespace sim::timing {

namespace {

constexpr unsigned units_most = 32;

unsigned number_in(std::string_view text, std::string_view line) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw std::runtime_error("scheduling data: not a number in '" + std::string(line) + "'");
    return value;
}

// The word behind `key` in a line of "key=word key=word".
std::string_view field(std::string_view line, std::string_view key) {
    const auto at = line.find(key);
    if (at == line.npos)
        throw std::runtime_error("scheduling data: no " + std::string(key) + " in '" + std::string(line) + "'");
    const auto word = line.substr(at + key.size());
    return word.substr(0, word.find(' '));
}

}  // namespace

unsigned UnitNames::number(std::string_view name) {
    const auto found = std::ranges::find(names_, name);
    if (found != names_.end()) return static_cast<unsigned>(found - names_.begin());
    if (names_.size() == units_most) throw std::runtime_error("more than 32 execution units");
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
    return mask;
}

std::vector<UnitUse> parse_uses(std::string_view text, UnitNames& units) {
    std::vector<UnitUse> uses;
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view use(part);
        if (use.empty()) continue;
        const auto colon = use.rfind(':');
        if (colon == use.npos) throw std::runtime_error("scheduling data: no cycles in '" + std::string(use) + "'");
        const std::uint32_t mask = units.mask(use.substr(0, colon));
        if (mask) uses.push_back({mask, static_cast<std::uint16_t>(number_in(use.substr(colon + 1), use))});
    }
    return uses;
}

Scheduling::Scheduling(std::string_view text, UnitNames& units) {
    bool names = false;
    for (const auto part : std::views::split(text, '\n')) {
        const std::string_view line(part);
        if (line.starts_with("# ")) {
            origin_ = line.substr(2, line.find('.', line.find(',')) - 2);
        } else if (line.starts_with("uops=")) {
            Cost& cost = costs_.emplace_back();
            cost.uops = static_cast<std::uint16_t>(number_in(field(line, "uops="), line));
            for (const auto latency : std::views::split(field(line, "latency="), ','))
                if (const std::string_view word(latency); !word.empty())
                    cost.latency = std::max(cost.latency, static_cast<std::uint16_t>(number_in(word, line)));
            cost.advance = static_cast<std::uint16_t>(number_in(field(line, "advance="), line));
            cost.uses = parse_uses(field(line, "units="), units);
            names = true;
        } else if (!line.empty()) {
            if (!names) throw std::runtime_error("scheduling data: opcodes without costs: '" + std::string(line) + "'");
            for (const auto name : std::views::split(line, ' '))
                if (const std::string_view word(name); word.ends_with('*'))
                    by_start_.emplace_back(word.substr(0, word.size() - 1), costs_.size() - 1);
                else if (!word.empty()) by_opcode_[word] = static_cast<std::uint32_t>(costs_.size() - 1);
        }
    }
    if (by_opcode_.empty() && by_start_.empty()) throw std::runtime_error("scheduling data: empty");
}

const Cost* Scheduling::find(std::string_view opcode) const {
    const auto found = by_opcode_.find(opcode);
    if (found != by_opcode_.end()) return &costs_[found->second];
    for (const auto& [start, number] : by_start_)
        if (opcode.starts_with(start)) return &costs_[number];
    return nullptr;
}

}  // namespace sim::timing
