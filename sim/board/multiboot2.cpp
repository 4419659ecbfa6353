// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>

#include <algorithm>
#include <cstring>
#include <sim/board/multiboot2.hpp>
#include <sim/board/text.hpp>

namespace sim::multiboot2 {

namespace {

using Bytes = std::span<const std::uint8_t>;
using ull = unsigned long long;

constexpr std::uint32_t header_magic = 0xe852'50d6, architecture_i386 = 0;
constexpr std::size_t header_within = 32768, alignment = 8, header_bytes = 16, tag_bytes = 8;

enum HeaderTag : std::uint16_t {
    end,
    information_request,
    address,
    entry_address,
    console_flags,
    framebuffer,
    module_alignment,
    efi_boot_services,
    efi_entry_i386,
    efi_entry_amd64,
    relocatable
};
constexpr std::uint16_t optional_flag = 1;

enum Tag : std::uint32_t {
    tag_end,
    tag_command_line,
    tag_loader_name,
    tag_modules,
    tag_basic_memory = 4,
    tag_memory_map = 6,
    tag_elf_sections = 9,
    tag_acpi_old = 14,
    tag_acpi_new = 15
};

template <typename T>
T value(Bytes bytes, std::size_t at) {
    T result;
    std::memcpy(&result, bytes.data() + at, sizeof result);
    return result;
}

[[noreturn]] void refuse(const Image& image, const std::string& cause) {
    throw ImageError(image.name() + ": its multiboot2 header " + cause +
                     "; mend the header, or choose another --entry");
}

std::optional<std::size_t> find_magic(Bytes file) {
    const std::size_t within = std::min(file.size(), header_within);
    for (std::size_t at = 0; at + header_bytes <= within; at += alignment) {
        if (value<std::uint32_t>(file, at) != header_magic) continue;
        const auto sum = header_magic + value<std::uint32_t>(file, at + 4) + value<std::uint32_t>(file, at + 8) +
                         value<std::uint32_t>(file, at + 12);
        if (sum == 0) return at;
    }
    return std::nullopt;
}

// Tags that are answered or can be left alone: nothing is asked of the loader that would show.
bool may_ask_for(std::uint32_t tag) {
    return tag == tag_command_line || tag == tag_loader_name || tag == tag_modules || tag == tag_basic_memory ||
           tag == tag_memory_map || tag == tag_elf_sections || tag == tag_acpi_old || tag == tag_acpi_new;
}

void check_request(const Image& image, Bytes tag, bool optional) {
    for (std::size_t at = tag_bytes; at + 4 <= tag.size() && !optional; at += 4)
        if (const auto asked = value<std::uint32_t>(tag, at); !may_ask_for(asked))
            refuse(image, text("requires information of type %u, which the board has not", asked));
}

// The image as one piece, which this tag places without regard to ELF (3.1.3).
Segment addressed_segment(const Image& image, Bytes tag, std::size_t header_at) {
    const auto header_addr = value<std::uint32_t>(tag, 8), load_end = value<std::uint32_t>(tag, 16),
               bss_end = value<std::uint32_t>(tag, 20);
    auto load_addr = value<std::uint32_t>(tag, 12);
    if (load_addr == ~0u) load_addr = header_addr - std::uint32_t(header_at);
    if (load_addr > header_addr || header_addr - load_addr > header_at)
        refuse(image, text("says that it lies at %#x of a text from %#x on, before the start of the file", header_addr,
                           load_addr));
    const std::size_t offset = header_at - (header_addr - load_addr);
    const std::size_t file_bytes = load_end ? load_end - std::uint64_t{load_addr} : image.bytes().size() - offset;
    if ((load_end && load_end < load_addr) || file_bytes > image.bytes().size() - offset)
        refuse(image, text("wants %#x to %#x loaded, more than the file holds", load_addr, load_end));
    if (bss_end && bss_end < load_addr + std::uint64_t{file_bytes})
        refuse(image, text("ends its zeroed part at %#x, before that of its data", bss_end));
    return {.physical_address = load_addr,
            .virtual_address = load_addr,
            .bytes = image.bytes().subspan(offset, file_bytes),
            .memory_bytes = bss_end ? bss_end - load_addr : file_bytes};
}

void take_tag(const Image& image, Header& header, Bytes tag, std::size_t header_at) {
    const auto type = value<std::uint16_t>(tag, 0);
    const bool optional = value<std::uint16_t>(tag, 2) & optional_flag;
    const auto needs = [&](std::size_t bytes) {
        if (tag.size() < bytes) refuse(image, text("has a tag of type %u that is cut short", type));
    };
    switch (type) {
        case information_request:
            return check_request(image, tag, optional);
        case address:
            needs(24);
            header.segments = {addressed_segment(image, tag, header_at)};
            return;
        case entry_address:
            needs(12);
            header.entry = value<std::uint32_t>(tag, 8);
            return;
        case console_flags:      // the console is the serial line
        case framebuffer:        // answered by none, as the specification allows
        case module_alignment:   // no modules
        case efi_boot_services:  // of EFI loaders
        case efi_entry_i386:
        case efi_entry_amd64:
        case relocatable:  // stays where it was linked
            return;
        default:
            if (!optional) refuse(image, text("requires something unknown (tag type %u)", type));
    }
}

class Writer {
  public:
    template <typename T>
    void put(const T& value) {
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
        bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    }
    void put_bytes(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    void put_text(const std::string& text) {
        put_bytes({reinterpret_cast<const std::uint8_t*>(text.c_str()), text.size() + 1});
    }
    // Type and size, what `body` writes, and padding (3.6.1).
    template <typename Body>
    void tag(std::uint32_t type, Body body) {
        const std::size_t start = bytes_.size();
        put(type), put(std::uint32_t{0});
        body();
        patch(start + 4, std::uint32_t(bytes_.size() - start));
        bytes_.resize((bytes_.size() + alignment - 1) & -alignment);
    }
    void patch(std::size_t at, std::uint32_t value) { std::memcpy(&bytes_[at], &value, sizeof value); }
    std::size_t size() const { return bytes_.size(); }
    std::vector<std::uint8_t> take() { return std::move(bytes_); }

  private:
    std::vector<std::uint8_t> bytes_;
};

// The section headers as they are in the file (3.6.8). Sections that are not loaded keep the address 0.
void put_sections(Writer& out, Bytes file) {
    const bool wide = file[EI_CLASS] == ELFCLASS64;
    const auto offset = wide ? value<Elf64_Ehdr>(file, 0).e_shoff : value<Elf32_Ehdr>(file, 0).e_shoff;
    const std::uint32_t count = wide ? value<Elf64_Ehdr>(file, 0).e_shnum : value<Elf32_Ehdr>(file, 0).e_shnum;
    const std::uint32_t names = wide ? value<Elf64_Ehdr>(file, 0).e_shstrndx : value<Elf32_Ehdr>(file, 0).e_shstrndx;
    const std::uint32_t bytes = wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (!count) return;
    out.tag(tag_elf_sections, [&] {
        out.put(count), out.put(bytes), out.put(names);
        out.put_bytes(file.subspan(offset, std::size_t{count} * bytes));
    });
}

}  // namespace

std::optional<Header> find_header(const Image& image) {
    const Bytes file = image.bytes();
    const auto at = find_magic(file);
    if (!at) return std::nullopt;
    if (const auto architecture = value<std::uint32_t>(file, *at + 4); architecture != architecture_i386)
        refuse(image, text("is for architecture %u, not 32-bit protected mode of i386 (0)", architecture));
    const std::size_t length = value<std::uint32_t>(file, *at + 8);
    if (length < header_bytes || length > file.size() - *at) refuse(image, "is longer than the file");
    Header header;
    for (std::size_t offset = header_bytes;;) {
        if (offset + tag_bytes > length) refuse(image, "has no end tag");
        const Bytes rest = file.subspan(*at + offset, length - offset);
        const std::size_t bytes = value<std::uint32_t>(rest, 4);
        if (value<std::uint16_t>(rest, 0) == end && bytes == tag_bytes) break;
        if (bytes < tag_bytes || bytes > rest.size())
            refuse(image, text("has a tag of %zu bytes at offset %zu, which does not fit", bytes, offset));
        take_tag(image, header, rest.first(bytes), *at);
        offset += (bytes + alignment - 1) & -alignment;
    }
    return header;
}

std::vector<std::uint8_t> information(const Image& image, const Told& told) {
    Writer out;
    out.put(std::uint32_t{0}), out.put(std::uint32_t{0});
    out.tag(tag_command_line, [&] { out.put_text(told.command_line); });
    out.tag(tag_loader_name, [&] { out.put_text("exo-dev"); });
    out.tag(tag_basic_memory, [&] {
        constexpr std::uint64_t high = 1 << 20;
        std::uint32_t lower_kib = 0, upper_kib = 0;
        for (const auto& range : told.memory_map) {
            if (range.type != exo::abi::memory_type_ram) continue;
            if (range.address == 0) lower_kib = std::uint32_t(std::min(range.bytes, high) >> 10);
            if (range.address == high) upper_kib = std::uint32_t(range.bytes >> 10);
        }
        out.put(lower_kib), out.put(upper_kib);
    });
    out.tag(tag_memory_map, [&] {
        out.put(std::uint32_t{sizeof(exo::abi::StartInfoMemory)}), out.put(std::uint32_t{0});
        for (const auto& range : told.memory_map) out.put(range);  // the same layout
    });
    put_sections(out, image.bytes());
    if (!told.rsdp.empty())
        out.tag(told.rsdp.size() > 20 ? tag_acpi_new : tag_acpi_old, [&] { out.put_bytes(told.rsdp); });
    out.tag(tag_end, [] {});
    out.patch(0, std::uint32_t(out.size()));
    return out.take();
}

}  // namespace sim::multiboot2
