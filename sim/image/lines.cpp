// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDebugLine.h>
#include <llvm/Support/MemoryBuffer.h>
#include <algorithm>
#include <filesystem>
#include <map>
#include <sim/image/lines.hpp>

namespace sim::detail {
namespace {

constexpr std::uint8_t address_bytes = 8;

void ignore(llvm::Error error) {  // the image runs all the same; what could be read has its lines
    llvm::consumeError(std::move(error));
}

llvm::StringRef section_text(const ElfFile& elf, std::string_view name) {
    const auto found = std::ranges::find(elf.sections, name, &ElfSection::name);
    if (found == elf.sections.end() || (found->flags & SHF_COMPRESSED) != 0) return {};
    return {reinterpret_cast<const char*>(found->bytes.data()), found->bytes.size()};
}

// The strings that line tables refer to.
std::unique_ptr<llvm::DWARFContext> string_context(const ElfFile& elf) {
    llvm::StringMap<std::unique_ptr<llvm::MemoryBuffer>> sections;
    for (const char* name : {"debug_str", "debug_line_str"}) {
        const auto text = section_text(elf, "." + std::string(name));
        sections[name] = llvm::MemoryBuffer::getMemBuffer(text, name, /*RequiresNullTerminator=*/false);
    }
    return llvm::DWARFContext::create(sections, address_bytes, /*isLittleEndian=*/true, ignore, ignore);
}

}  // namespace

void LineTable::read() {
    const auto context = string_context(elf_);
    llvm::DWARFDataExtractor data(section_text(elf_, ".debug_line"), /*IsLittleEndian=*/true, address_bytes);
    llvm::DWARFUnitVector no_units;
    llvm::DWARFDebugLine::SectionParser parser(data, *context, {no_units.begin(), no_units.end()});
    std::map<std::string, std::uint32_t> numbers;
    while (!parser.done()) {
        const auto table = parser.parseNext(ignore, ignore);
        std::map<std::uint64_t, std::uint32_t> file_numbers;  // of this table's file index
        const auto number = [&](std::uint64_t index) {
            const auto [known, fresh] = file_numbers.try_emplace(index, 0);
            if (!fresh) return known->second;
            std::string path;
            using Kind = llvm::DILineInfoSpecifier::FileLineInfoKind;
            table.getFileNameByIndex(index, "", Kind::RelativeFilePath, path);
            path = std::filesystem::path(path).lexically_normal().string();
            const auto [entry, added] = numbers.try_emplace(path, static_cast<std::uint32_t>(files_.size()));
            if (added) files_.push_back(path);
            return known->second = entry->second;
        };
        for (std::size_t i = 0; i + 1 < table.Rows.size(); ++i) {
            const auto& row = table.Rows[i];
            const std::uint64_t end = table.Rows[i + 1].Address.Address;
            if (row.EndSequence || row.Line == 0 || row.Address.Address >= end) continue;
            rows_.push_back({row.Address.Address, end, number(row.File), row.Line});
        }
    }
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
