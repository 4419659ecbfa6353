// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <llvm/Demangle/Demangle.h>
#include <algorithm>
#include <cstdlib>
#include <sim/image/symbols.hpp>

namespace sim::detail {
namespace {

using Range = SymbolTable::Range;

bool executable(const ElfFile& file, const ElfSymbol& s) {
    return s.section < file.sections.size() && (file.sections[s.section].flags & SHF_EXECINSTR) != 0;
}

std::uint64_t section_end(const ElfFile& file, const ElfSymbol& s) {
    const auto& section = file.sections[s.section];
    const std::uint64_t end = section.address + section.memory_bytes;
    return end < section.address ? ~std::uint64_t{0} : end;
}

// Symbols of one kind, by address; of several at one address the global one, then the first by name.
std::vector<const ElfSymbol*> pick(const ElfFile& file, bool functions) {
    std::vector<const ElfSymbol*> picked;
    for (const auto& s : file.symbols) {
        const bool sized_function = s.function && s.size != 0;
        const bool bare_label = s.label || (s.function && s.size == 0);
        if (executable(file, s) && (functions ? sized_function : bare_label) && s.address < section_end(file, s))
            picked.push_back(&s);
    }
    std::ranges::sort(picked, [](const ElfSymbol* a, const ElfSymbol* b) {
        if (a->address != b->address) return a->address < b->address;
        if (a->global != b->global) return a->global;
        return a->name < b->name;
    });
    const auto rest = std::ranges::unique(picked, {}, &ElfSymbol::address);
    picked.erase(rest.begin(), rest.end());
    return picked;
}

// Sized functions as disjoint ranges. Where one lies inside another, the inner one wins and the outer resumes after it.
std::vector<Range> function_ranges(const ElfFile& file, std::string_view program) {
    std::vector<Range> ranges;
    std::vector<Range> open;  // enclosing functions, innermost last
    std::uint64_t at = 0;
    const auto emit = [&](const Range& r, std::uint64_t end) {
        if (at < end) ranges.push_back({at, end, r.function, r.symbol, program});
        at = std::max(at, end);
    };
    const auto close_until = [&](std::uint64_t limit) {
        while (!open.empty() && open.back().end <= limit) {
            emit(open.back(), open.back().end);
            open.pop_back();
        }
    };
    for (const ElfSymbol* s : pick(file, true)) {
        close_until(s->address);
        if (!open.empty()) emit(open.back(), s->address);
        at = s->address;
        const std::uint64_t room = section_end(file, *s) - s->address;
        open.push_back({s->address, s->address + std::min(s->size, room), s->address, s->name, program});
    }
    close_until(~std::uint64_t{0});
    return ranges;
}

// Labels of assembly name the code that no sized function covers, each up to the next label or function.
std::vector<Range> label_ranges(const ElfFile& file, std::string_view program, const std::vector<Range>& functions) {
    std::vector<Range> ranges;
    const auto labels = pick(file, false);
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const ElfSymbol& s = *labels[i];
        std::uint64_t end = section_end(file, s);
        if (i + 1 < labels.size()) end = std::min(end, labels[i + 1]->address);
        const auto next = std::ranges::upper_bound(functions, s.address, {}, &Range::start);
        if (next != functions.end()) end = std::min(end, next->start);
        const bool covered = next != functions.begin() && std::prev(next)->end > s.address;
        if (!covered && s.address < end) ranges.push_back({s.address, end, s.address, s.name, program});
    }
    return ranges;
}

// Without what nests inside angle brackets: "<...>" if that is long.
std::string shorten_template_arguments(std::string_view name) {
    constexpr std::size_t kept_characters = 24;
    std::string out;
    for (std::size_t i = 0; i < name.size();) {
        const bool is_operator = name.substr(0, i).ends_with("operator") || name.substr(0, i).ends_with("operator<") ||
                                 name.substr(0, i).ends_with("operator-");
        if (name[i] != '<' || is_operator) {
            out += name[i++];
            continue;
        }
        int depth = 0;
        std::size_t end = i;
        do {
            depth += name[end] == '<' ? 1 : name[end] == '>' ? -1 : 0;
            ++end;
        } while (end < name.size() && depth > 0);
        out += end - i > kept_characters ? std::string("<...>") : std::string(name.substr(i, end - i));
        i = end;
    }
    return out;
}

}  // namespace

std::string short_name(std::string_view symbol) {
    if (symbol.size() > 4096) return std::string(symbol.substr(0, 256));  // a damaged table, not a name
    if (!symbol.starts_with("_Z")) return std::string(symbol);
    const auto dot = std::min(symbol.find('.'), symbol.size());  // of ".cold", ".constprop.0": the compiler's clones
    const std::string mangled(symbol.substr(0, dot));
    const std::string suffix(symbol.substr(dot));
    llvm::ItaniumPartialDemangler demangler;
    if (demangler.partialDemangle(mangled.c_str())) return std::string(symbol);
    if (!demangler.isFunction()) return llvm::demangle(mangled) + suffix;
    std::size_t size = 0;
    char* text = demangler.getFunctionName(nullptr, &size);
    const std::string name = text != nullptr ? text : mangled;
    std::free(text);
    return shorten_template_arguments(name) + suffix;
}

void SymbolTable::add(const ElfFile& file, std::string_view program) {
    const auto functions = function_ranges(file, program);
    const auto labels = label_ranges(file, program, functions);
    ranges_.insert(ranges_.end(), functions.begin(), functions.end());
    ranges_.insert(ranges_.end(), labels.begin(), labels.end());
    for (const bool global : {true, false})  // a global name wins, and the kernel's, which is added first
        for (const auto& s : file.symbols)
            if (s.global == global) by_name_.try_emplace(s.name, s.address);
}

void SymbolTable::finish() { std::ranges::stable_sort(ranges_, {}, &Range::start); }

const Range* SymbolTable::find(std::uint64_t address) const {
    const auto next = std::ranges::upper_bound(ranges_, address, {}, &Range::start);
    if (next == ranges_.begin()) return nullptr;
    const auto& range = *std::prev(next);
    return address < range.end ? &range : nullptr;
}

std::optional<std::uint64_t> SymbolTable::address(std::string_view name) const {
    if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
    if (by_short_name_.empty())
        for (const auto& r : ranges_) by_short_name_.try_emplace(short_name(r.symbol), r.function);
    const auto found = by_short_name_.find(std::string(name));
    return found == by_short_name_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace sim::detail
