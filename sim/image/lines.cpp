// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <algorithm>
#include <filesystem>
#include <sim/image/line_program.hpp>
#include <sim/image/lines.hpp>
#include <unordered_map>

namespace sim::detail {
namespace {

// Empty if the file has none, or a compressed one (the kernel's are not).
std::span<const std::uint8_t> section_bytes(const ElfFile& elf, std::string_view name) {
    const auto found = std::ranges::find(elf.sections, name, &ElfSection::name);
    if (found == elf.sections.end() || (found->flags & SHF_COMPRESSED) != 0) return {};
    return found->bytes;
}

}  // namespace

void LineTable::read() {
    std::unordered_map<std::string, std::uint32_t> numbers;  // of a path as the section has it
    const LineSections sections{.debug_line = section_bytes(elf_, ".debug_line"),
                                .debug_line_str = section_bytes(elf_, ".debug_line_str"),
                                .debug_str = section_bytes(elf_, ".debug_str")};
    read_line_programs(sections, [&](std::uint64_t start, std::uint64_t end, const std::string& file, unsigned line) {
        const auto [entry, added] = numbers.try_emplace(file, static_cast<std::uint32_t>(files_.size()));
        if (added) files_.push_back(std::filesystem::path(file).lexically_normal().string());
        rows_.push_back({start, end, entry->second, line});
    });
    std::ranges::stable_sort(rows_, {}, &Row::start);
}

SourceLine LineTable::find(std::uint64_t virtual_address) {
    if (!read_) read();
    read_ = true;
    const auto next = std::ranges::upper_bound(rows_, virtual_address, {}, &Row::start);
    if (next == rows_.begin() || std::prev(next)->end <= virtual_address) return {};
    return {files_[std::prev(next)->file], std::prev(next)->line};
}

}  // namespace sim::detail
