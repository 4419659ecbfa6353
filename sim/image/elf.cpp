// SPDX-License-Identifier: GPL-2.0-or-later
// Structures and constants: System V ABI, ELF-64 object file format, and its AMD64 supplement.
#include <elf.h>
#include <llvm/Support/FormatVariadic.h>
#include <algorithm>
#include <sim/image/elf.hpp>

namespace sim::detail {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr char rebuild[] = "build the kernel again or name another one with --kernel";
constexpr char wrong_target[] = "link a static, non-PIE x86-64 executable (-m elf_x86_64 -no-pie)";
constexpr std::uint32_t pvh_note_type = 18;  // XEN_ELFNOTE_PHYS32_ENTRY

// More than any board has; keeps a damaged size field from asking for all memory of the host.
constexpr std::uint64_t max_memory_bytes = 1ull << 30;
constexpr std::uint64_t max_physical_address = 1ull << 46;

bool in_range(Bytes bytes, std::uint64_t offset, std::uint64_t size) {
    return offset <= bytes.size() && size <= bytes.size() - offset;
}

std::string machine_name(unsigned machine) {
    switch (machine) {
        case EM_386:
            return "32-bit x86";
        case EM_ARM:
            return "ARM";
        case EM_AARCH64:
            return "AArch64";
        case EM_RISCV:
            return "RISC-V";
        case EM_PPC64:
            return "PowerPC64";
        default:
            return llvm::formatv("machine number {}", machine).str();
    }
}

void check_identity(Bytes bytes, const std::string& name) {
    if (bytes.empty()) image_error(name, "the file is empty", rebuild);
    if (bytes.size() < SELFMAG || !std::equal(ELFMAG, ELFMAG + SELFMAG, bytes.begin()))
        image_error(name, "not an ELF file", "name a kernel image such as exo.elf");
    if (bytes.size() < EI_NIDENT) image_error(name, "truncated inside the ELF header", rebuild);
    if (bytes[EI_CLASS] != ELFCLASS64 && bytes[EI_CLASS] != ELFCLASS32)
        image_error(name, "the ELF class is neither 32 nor 64 bits", rebuild);
    if (bytes[EI_DATA] != ELFDATA2LSB) image_error(name, "a big-endian ELF file, not x86-64", wrong_target);
    if (bytes.size() < (bytes[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
        image_error(name, "truncated inside the ELF header", rebuild);
}

// The structures of either class, in the fields of the wider one.
struct Header : Elf64_Ehdr {
    bool wide = true;
};

Header widen(const Elf32_Ehdr& h) {
    Header out{};
    std::copy(std::begin(h.e_ident), std::end(h.e_ident), out.e_ident);
    out.e_type = h.e_type, out.e_machine = h.e_machine, out.e_version = h.e_version, out.e_entry = h.e_entry;
    out.e_phoff = h.e_phoff, out.e_phentsize = h.e_phentsize, out.e_phnum = h.e_phnum;
    out.e_shoff = h.e_shoff, out.e_shentsize = h.e_shentsize, out.e_shnum = h.e_shnum, out.e_shstrndx = h.e_shstrndx;
    out.wide = false;
    return out;
}
Elf64_Phdr widen(const Elf32_Phdr& p) {
    return {p.p_type, p.p_flags, p.p_offset, p.p_vaddr, p.p_paddr, p.p_filesz, p.p_memsz, p.p_align};
}
Elf64_Shdr widen(const Elf32_Shdr& s) {
    return {s.sh_name, s.sh_type, s.sh_flags, s.sh_addr,      s.sh_offset,
            s.sh_size, s.sh_link, s.sh_info,  s.sh_addralign, s.sh_entsize};
}
Elf64_Sym widen(const Elf32_Sym& s) { return {s.st_name, s.st_info, s.st_other, s.st_shndx, s.st_value, s.st_size}; }

// Entry `index` of the table at `offset`, which the caller has checked.
template <typename Wide, typename Narrow>
Wide entry_of(Bytes bytes, bool wide, std::uint64_t offset, std::uint64_t index) {
    if (wide) return read_value<Wide>(bytes, offset + index * sizeof(Wide));
    return widen(read_value<Narrow>(bytes, offset + index * sizeof(Narrow)));
}

Header read_header(Bytes bytes, const std::string& name) {
    check_identity(bytes, name);
    Header header{};
    if (bytes[EI_CLASS] == ELFCLASS64) static_cast<Elf64_Ehdr&>(header) = read_value<Elf64_Ehdr>(bytes, 0);
    else header = widen(read_value<Elf32_Ehdr>(bytes, 0));
    // A 32-bit file may hold a kernel that switches to 64-bit mode by itself: many are made so for their loaders.
    if (header.e_machine != EM_X86_64 && (header.wide || header.e_machine != EM_386))
        image_error(name, llvm::formatv("made for {}, not x86-64", machine_name(header.e_machine)).str(), wrong_target);
    if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT)
        image_error(name, "unknown ELF version", rebuild);
    if (header.e_type == ET_DYN) image_error(name, "position-independent (PIE or shared object)", wrong_target);
    if (header.e_type == ET_REL) image_error(name, "an object file that has not been linked", wrong_target);
    if (header.e_type != ET_EXEC)
        image_error(name, llvm::formatv("ELF type {} is not an executable", header.e_type).str(), wrong_target);
    return header;
}

Segment read_segment(Bytes bytes, const std::string& name, const Elf64_Phdr& p, unsigned number) {
    const auto fail = [&](const char* what) {
        image_error(name, llvm::formatv("segment {}: {}", number, what).str(), rebuild);
    };
    if (!in_range(bytes, p.p_offset, p.p_filesz)) fail("its bytes lie past the end of the file (truncated?)");
    if (p.p_filesz > p.p_memsz) fail("holds more bytes in the file than in memory");
    if (p.p_memsz > max_memory_bytes) fail("needs more than 1 GiB of memory");
    if (p.p_paddr > max_physical_address) fail("its physical address is out of every machine's range");
    if (p.p_vaddr + p.p_memsz < p.p_vaddr) fail("wraps round the end of the address space");
    return {.physical_address = p.p_paddr,
            .virtual_address = p.p_vaddr,
            .bytes = bytes.subspan(p.p_offset, p.p_filesz),
            .memory_bytes = p.p_memsz};
}

void check_overlap(const std::vector<Segment>& segments, const std::string& name) {
    std::vector<const Segment*> sorted;
    std::uint64_t total = 0;
    for (const auto& s : segments) {
        sorted.push_back(&s);
        total += s.memory_bytes;
    }
    if (total > max_memory_bytes) image_error(name, "its segments need more than 1 GiB of memory", rebuild);
    std::ranges::sort(sorted, {}, &Segment::physical_address);
    for (std::size_t i = 1; i < sorted.size(); ++i)
        if (sorted[i - 1]->physical_address + sorted[i - 1]->memory_bytes > sorted[i]->physical_address)
            image_error(
                name, llvm::formatv("two segments overlap at physical address {:x}", sorted[i]->physical_address).str(),
                "check the load addresses (AT>) in the linker script");
}

// The entry is a virtual address, or a physical one: some loaders are given that (Linux).
void find_entry(const std::string& name, std::uint64_t entry, std::span<const Elf64_Phdr> loaded, ElfFile& out) {
    out.entry_virtual = entry;
    out.entry_physical = Image::no_entry;
    for (const Elf64_Phdr& p : loaded) {
        if (entry - p.p_vaddr >= p.p_memsz) continue;
        if ((p.p_flags & PF_X) == 0)
            image_error(name, llvm::formatv("the entry {:x} is in a segment without execute permission", entry).str(),
                        "check ENTRY and the program headers in the linker script");
        out.entry_physical = entry - p.p_vaddr + p.p_paddr;
        return;
    }
    for (const Elf64_Phdr& p : loaded)
        if (entry - p.p_paddr < p.p_memsz) out.entry_physical = entry;
}

void take_notes(Bytes notes, ElfFile& out) {
    for (const ElfNote& note : read_notes(notes)) {
        if (note.type != pvh_note_type || note.name != "Xen" || out.pvh_entry) continue;
        if (note.descriptor.size() >= 8) out.pvh_entry = read_value<std::uint64_t>(note.descriptor, 0);
        else if (note.descriptor.size() >= 4) out.pvh_entry = read_value<std::uint32_t>(note.descriptor, 0);
    }
}

void read_segments(Bytes bytes, const std::string& name, const Header& header, ElfFile& out) {
    const std::size_t entry_bytes = header.wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    if (header.e_phnum == 0) image_error(name, "no program headers, so nothing to load", wrong_target);
    if (header.e_phentsize != entry_bytes || header.e_phnum == PN_XNUM)
        image_error(name, "damaged program header table", rebuild);
    if (!in_range(bytes, header.e_phoff, header.e_phnum * entry_bytes))
        image_error(name, "the program headers lie past the end of the file (truncated?)", rebuild);
    std::vector<Elf64_Phdr> loaded;
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        const auto p = entry_of<Elf64_Phdr, Elf32_Phdr>(bytes, header.wide, header.e_phoff, i);
        if (p.p_type == PT_NOTE && in_range(bytes, p.p_offset, p.p_filesz))
            take_notes(bytes.subspan(p.p_offset, p.p_filesz), out);
        if (p.p_type != PT_LOAD || p.p_memsz == 0) continue;
        out.segments.push_back(read_segment(bytes, name, p, i));
        loaded.push_back(p);
    }
    if (out.segments.empty()) image_error(name, "no loadable segment", wrong_target);
    check_overlap(out.segments, name);
    find_entry(name, header.e_entry, loaded, out);
}

// The zero-terminated string at `offset`, empty if there is none.
std::string_view string_at(Bytes table, std::uint64_t offset) {
    if (offset >= table.size()) return {};
    const auto rest = table.subspan(offset);
    const auto end = std::ranges::find(rest, std::uint8_t{0});
    if (end == rest.end()) return {};
    return {reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin())};
}

void read_symbols(Bytes table, Bytes strings, std::size_t section_count, bool wide, ElfFile& out) {
    const std::size_t count = table.size() / (wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
    for (std::size_t i = 0; i < count; ++i) {
        const auto s = entry_of<Elf64_Sym, Elf32_Sym>(table, wide, 0, i);
        const auto type = ELF64_ST_TYPE(s.st_info);
        const bool placed = s.st_shndx != SHN_UNDEF && (s.st_shndx < section_count || s.st_shndx == SHN_ABS);
        if (!placed || (type != STT_FUNC && type != STT_NOTYPE && type != STT_OBJECT)) continue;
        const auto name = string_at(strings, s.st_name);
        if (name.empty()) continue;
        out.symbols.push_back({.name = name,
                               .address = s.st_value,
                               .size = s.st_size,
                               .section = s.st_shndx,
                               .function = type == STT_FUNC,
                               .label = type == STT_NOTYPE,
                               .global = ELF64_ST_BIND(s.st_info) != STB_LOCAL});
    }
}

void read_sections(Bytes bytes, const std::string& name, const Header& header, ElfFile& out) {
    const std::size_t entry_bytes = header.wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (header.e_shnum == 0) return;  // stripped of everything; it can run
    if (header.e_shentsize != entry_bytes) image_error(name, "damaged section header table", rebuild);
    if (!in_range(bytes, header.e_shoff, header.e_shnum * entry_bytes))
        image_error(name, "the section headers lie past the end of the file (truncated?)", rebuild);
    std::vector<Elf64_Shdr> headers;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        headers.push_back(entry_of<Elf64_Shdr, Elf32_Shdr>(bytes, header.wide, header.e_shoff, i));
        const auto& h = headers.back();
        const bool in_file = h.sh_type != SHT_NOBITS && h.sh_type != SHT_NULL;
        if (in_file && !in_range(bytes, h.sh_offset, h.sh_size))
            image_error(name, llvm::formatv("section {} lies past the end of the file (truncated?)", i).str(), rebuild);
        out.sections.push_back({.name = {},
                                .type = h.sh_type,
                                .flags = h.sh_flags,
                                .address = h.sh_addr,
                                .memory_bytes = h.sh_size,
                                .bytes = in_file ? bytes.subspan(h.sh_offset, h.sh_size) : Bytes{}});
    }
    if (header.e_shstrndx < out.sections.size())
        for (std::size_t i = 0; i < headers.size(); ++i)
            out.sections[i].name = string_at(out.sections[header.e_shstrndx].bytes, headers[i].sh_name);
    for (const auto& h : headers)
        if (h.sh_type == SHT_SYMTAB && h.sh_link < out.sections.size())
            read_symbols(bytes.subspan(h.sh_offset, h.sh_size), out.sections[h.sh_link].bytes, headers.size(),
                         header.wide, out);
    for (const ElfSection& section : out.sections)
        if (section.type == SHT_NOTE) take_notes(section.bytes, out);
}

}  // namespace

void image_error(const std::string& name, const std::string& cause, const std::string& next_step) {
    throw ImageError(llvm::formatv("{}: {}; {}", name, cause, next_step).str());
}

ElfFile read_elf(Bytes bytes, const std::string& name) {
    ElfFile out{};
    const auto header = read_header(bytes, name);
    read_segments(bytes, name, header, out);
    read_sections(bytes, name, header, out);
    return out;
}

std::vector<ElfNote> read_notes(Bytes section) {
    std::vector<ElfNote> notes;
    const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
    std::uint64_t at = 0;
    while (in_range(section, at, sizeof(Elf64_Nhdr))) {
        const auto header = read_value<Elf64_Nhdr>(section, at);
        const auto name_at = at + sizeof(Elf64_Nhdr);
        const auto descriptor_at = name_at + padded(header.n_namesz);
        if (!in_range(section, name_at, header.n_namesz) || !in_range(section, descriptor_at, header.n_descsz)) break;
        notes.push_back({string_at(section.subspan(name_at, header.n_namesz), 0), header.n_type,
                         section.subspan(descriptor_at, header.n_descsz)});
        at = descriptor_at + padded(header.n_descsz);
    }
    return notes;
}

}  // namespace sim::detail
