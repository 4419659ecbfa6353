// SPDX-License-Identifier: GPL-2.0-or-later
// libdw sees neither the image nor its debug information entries: it is given a private ELF file in memory that holds
// nothing but the line programs and their strings, under headers made here. So damage elsewhere can't reach it, a link
// to a file with more debug information is not followed, and decompression, which libelf does in place, leaves the
// image as it was.
#include <elf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <sim/image/lines.hpp>
#include <string_view>
#include <unordered_map>

namespace sim::detail {
namespace {

struct ElfCloser {
    void operator()(Elf* elf) const { elf_end(elf); }
};
struct DwarfCloser {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

template <typename T>
void append(std::vector<char>& file, const T* values, std::size_t count) {
    const auto* bytes = reinterpret_cast<const char*>(values);
    file.insert(file.end(), bytes, bytes + count * sizeof(T));
}

// The file's line sections alone, as an ELF file; each starts at a multiple of 8 bytes, as a compression header needs.
// The section headers come last: libdw 0.188 looks one byte past a line program that ends inside its header.
std::vector<char> line_sections(const ElfFile& elf) {
    static constexpr std::array<std::string_view, 3> wanted = {".debug_line", ".debug_line_str", ".debug_str"};
    std::vector<char> file(sizeof(Elf64_Ehdr));
    std::vector<Elf64_Shdr> headers(1);
    std::string names(1, '\0');
    const auto align = [&] { file.resize((file.size() + 7) & ~std::size_t{7}); };
    const auto add = [&](std::string_view name, unsigned type, std::uint64_t flags) {
        align();
        headers.push_back({.sh_name = static_cast<Elf64_Word>(names.size()),
                           .sh_type = type,
                           .sh_flags = flags,
                           .sh_offset = file.size(),
                           .sh_addralign = 1});
        names.append(name).push_back('\0');
    };
    for (const auto name : wanted) {
        const auto found = std::ranges::find(elf.sections, name, &ElfSection::name);
        if (found == elf.sections.end()) continue;
        add(name, SHT_PROGBITS, found->flags & SHF_COMPRESSED);
        headers.back().sh_size = found->bytes.size();
        append(file, found->bytes.data(), found->bytes.size());
    }
    add(".shstrtab", SHT_STRTAB, 0);
    headers.back().sh_size = names.size();
    append(file, names.data(), names.size());
    align();
    const Elf64_Ehdr header{
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = file.size(),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = static_cast<Elf64_Half>(headers.size()),
        .e_shstrndx = static_cast<Elf64_Half>(headers.size() - 1),
    };
    std::copy_n(reinterpret_cast<const char*>(&header), sizeof header, file.begin());
    append(file, headers.data(), headers.size());
    return file;
}

// Calls visit(start, end, path, line) for the rows of a unit, which libdw has sorted by address. `path` lives as long
// as the unit's table, and equal pointers are equal paths.
template <typename Visit>
void visit_rows(Dwarf_Lines* lines, std::size_t count, const Visit& visit) {
    Dwarf_Line* row = count != 0 ? dwarf_onesrcline(lines, 0) : nullptr;
    for (std::size_t i = 1; i < count; ++i) {
        Dwarf_Line* next = dwarf_onesrcline(lines, i);
        Dwarf_Addr start = 0, end = 0;
        int line = 0;
        bool end_of_sequence = true;  // what follows it until the next row is no code of this unit
        const bool known = dwarf_lineaddr(row, &start) == 0 && dwarf_lineaddr(next, &end) == 0 &&
                           dwarf_lineno(row, &line) == 0 && dwarf_lineendsequence(row, &end_of_sequence) == 0;
        const char* path = known ? dwarf_linesrc(row, nullptr, nullptr) : nullptr;
        if (path != nullptr && !end_of_sequence && start < end && line > 0)
            visit(start, end, path, static_cast<std::uint32_t>(line));
        row = next;
    }
}

}  // namespace

void LineTable::read() {
    elf_version(EV_CURRENT);
    std::vector<char> file = line_sections(elf_);
    const std::unique_ptr<Elf, ElfCloser> elf(elf_memory(file.data(), file.size()));
    const std::unique_ptr<Dwarf, DwarfCloser> dwarf(dwarf_begin_elf(elf.get(), DWARF_C_READ, nullptr));
    if (!dwarf) return;  // no lines in it
    std::unordered_map<const char*, std::uint32_t> by_pointer;
    std::unordered_map<std::string, std::uint32_t> by_path;
    const auto number = [&](const char* path) {
        const auto [entry, added] = by_pointer.try_emplace(path, 0);
        if (!added) return entry->second;
        const auto next = static_cast<std::uint32_t>(files_.size());
        const auto [known, is_new] = by_path.try_emplace(path, next);
        if (is_new) files_.push_back(std::filesystem::path(path).lexically_normal().string());
        return entry->second = known->second;
    };
    Dwarf_CU* unit = nullptr;
    for (Dwarf_Off offset = 0, next = 0;; offset = next) {
        Dwarf_Files* files = nullptr;
        Dwarf_Lines* lines = nullptr;
        std::size_t file_count = 0, count = 0;
        const int status = dwarf_next_lines(dwarf.get(), offset, &next, &unit, &files, &file_count, &lines, &count);
        // A damaged unit is left out; where the next one starts is unknown if it is the length that is damaged, which
        // is when libdw has come no further than past it.
        constexpr unsigned length_bytes = 12;
        if (status > 0 || (status < 0 && next - offset <= length_bytes)) break;
        if (status < 0) continue;
        visit_rows(lines, count, [&](std::uint64_t start, std::uint64_t end, const char* path, std::uint32_t line) {
            rows_.push_back({start, end, number(path), line});
        });
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
