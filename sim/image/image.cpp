// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's ELF file and the programs inside it as one image. Addresses do not collide: the kernel is in the higher
// half and each program is linked at a base of its own.
#include <elf.h>
#include <llvm/ADT/StringExtras.h>
#include <llvm/Support/FormatVariadic.h>
#include <llvm/Support/SHA1.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <sim/image/elf.hpp>
#include <sim/image/image.hpp>
#include <sim/image/lines.hpp>
#include <sim/image/symbols.hpp>
#include <unordered_map>

namespace sim {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uintmax_t max_file_bytes = 256u << 20;

// The archive of ring-3 programs: header, entries, then the ELF files; offsets count from the section's start.
constexpr std::string_view archive_section = ".exo.archive";
constexpr std::uint64_t archive_magic = 0x3156484352415845;  // "EXARCHV1"
struct ArchiveEntry {
    char name[32];
    std::uint64_t offset;
    std::uint64_t bytes;
};
constexpr std::size_t archive_header_bytes = 16;
static_assert(sizeof(ArchiveEntry) == 48);

class ElfImage final : public Image {
  public:
    // `shown` is what messages call the file.
    ElfImage(std::vector<std::uint8_t> bytes, std::string name, std::string shown)
        : bytes_(std::move(bytes)), name_(std::move(name)), shown_(std::move(shown)) {
        add_part(bytes_, "");
        add_archive();
        symbols_.finish();
        std::ranges::stable_sort(marks_, {}, &Mark::address);
    }

    const std::string& name() const override { return name_; }
    Bytes bytes() const override { return bytes_; }
    std::uint64_t entry_physical() const override { return kernel().entry_physical; }
    std::optional<std::uint64_t> pvh_entry() const override { return kernel().pvh_entry; }
    std::span<const Segment> segments() const override { return kernel().segments; }
    std::span<const Mark> marks() const override { return marks_; }
    std::string build_id() const override;
    const Location& locate(std::uint64_t address) const override;
    std::uint64_t function_start(std::uint64_t address) const override;
    std::optional<std::uint64_t> symbol(std::string_view name) const override { return symbols_.address(name); }

  private:
    struct Part {  // the kernel, or one program
        Part(detail::ElfFile file, std::string name) : elf(std::move(file)), program(std::move(name)), lines(elf) {}
        detail::ElfFile elf;
        std::string program;
        detail::LineTable lines;
    };

    const detail::ElfFile& kernel() const { return parts_.front().elf; }
    void add_part(Bytes bytes, const std::string& program);
    void add_archive();
    void add_marks(const detail::ElfFile&);
    std::uint64_t virtual_of(std::uint64_t address) const;
    Location describe(std::uint64_t address) const;

    std::vector<std::uint8_t> bytes_;
    std::string name_;
    std::string shown_;
    mutable std::deque<Part> parts_;  // never moved: symbols refer to the names in them
    std::vector<Mark> marks_;
    detail::SymbolTable symbols_;
    mutable std::unordered_map<std::uint64_t, Location> locations_;

    struct CachedStart {
        std::uint64_t address = ~std::uint64_t{0};
        std::uint64_t start = 0;
    };
    mutable std::array<CachedStart, 1024> starts_;  // direct-mapped
};

void ElfImage::add_part(Bytes bytes, const std::string& program) {
    const std::string what = program.empty() ? shown_ : llvm::formatv("{} (program '{}')", shown_, program).str();
    if (!program.empty() && bytes.size() > EI_CLASS && bytes[EI_CLASS] == ELFCLASS32)
        detail::image_error(what, "a 32-bit ELF file, not x86-64", "build the kernel again");
    parts_.emplace_back(detail::read_elf(bytes, what), program);
    symbols_.add(parts_.back().elf, parts_.back().program);
    add_marks(parts_.back().elf);
}

void ElfImage::add_archive() {
    const auto& sections = kernel().sections;
    const auto found = std::ranges::find(sections, archive_section, &detail::ElfSection::name);
    if (found == sections.end()) return;
    const Bytes archive = found->bytes;
    const auto fail = [&](const std::string& what) {
        detail::image_error(shown_, "damaged program archive: " + what, "build the kernel again");
    };
    if (archive.size() < archive_header_bytes) fail("shorter than its header");
    if (detail::read_value<std::uint64_t>(archive, 0) != archive_magic) fail("no magic number");
    const auto count = detail::read_value<std::uint64_t>(archive, 8);
    if (count > (archive.size() - archive_header_bytes) / sizeof(ArchiveEntry)) fail("more entries than fit");
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto entry = detail::read_value<ArchiveEntry>(archive, archive_header_bytes + i * sizeof(ArchiveEntry));
        if (entry.offset > archive.size() || entry.bytes > archive.size() - entry.offset)
            fail(llvm::formatv("entry {} lies past its end", i).str());
        const std::string program(entry.name, strnlen(entry.name, sizeof entry.name));
        if (program.empty()) fail(llvm::formatv("entry {} has no name", i).str());
        add_part(archive.subspan(entry.offset, entry.bytes), program);
    }
}

void ElfImage::add_marks(const detail::ElfFile& elf) {
    for (const auto& section : elf.sections) {
        if (section.name != exo::abi::mark_section) continue;
        for (const auto& note : detail::read_notes(section.bytes)) {
            if (note.type != exo::abi::mark_note_type || note.name != "exo") continue;
            if (note.descriptor.size() <= sizeof(exo::abi::MarkNote)) continue;
            const auto head = detail::read_value<exo::abi::MarkNote>(note.descriptor, 0);
            if (head.kind > exo::abi::MarkKind::end) continue;
            const auto* text = reinterpret_cast<const char*>(note.descriptor.data()) + sizeof head;
            const auto length = strnlen(text, note.descriptor.size() - sizeof head);
            marks_.push_back({head.address, head.kind, std::string(text, length)});
        }
    }
}

std::string ElfImage::build_id() const {
    for (const auto& section : kernel().sections) {
        if (section.name != ".note.gnu.build-id") continue;
        for (const auto& note : detail::read_notes(section.bytes))
            if (note.type == 3 && note.name == "GNU") return llvm::toHex(note.descriptor, /*LowerCase=*/true);
    }
    return llvm::toHex(llvm::SHA1::hash(bytes_), /*LowerCase=*/true);
}

// Code that runs before paging is on has physical addresses: the virtual address of the same byte.
std::uint64_t ElfImage::virtual_of(std::uint64_t address) const {
    for (const auto& s : segments())
        if (address - s.virtual_address < s.memory_bytes) return address;
    for (const auto& s : segments())
        if (address - s.physical_address < s.memory_bytes) return address - s.physical_address + s.virtual_address;
    return address;
}

Location ElfImage::describe(std::uint64_t address) const {
    Location location;
    // A program may be linked where the kernel has physical aliases: names at the address itself come first.
    const auto* range = symbols_.find(address);
    if (range == nullptr) {
        address = virtual_of(address);
        range = symbols_.find(address);
    }
    if (range != nullptr) {
        const std::string name = detail::short_name(range->symbol);
        location.function = range->program.empty() ? name : llvm::formatv("{}:{}", range->program, name).str();
        location.offset = address - range->function;
    }
    const std::string_view program = range != nullptr ? range->program : std::string_view();
    const auto part = std::ranges::find(parts_, program, &Part::program);
    auto line = part->lines.find(address);
    location.file = std::move(line.file);
    location.line = line.line;
    return location;
}

const Location& ElfImage::locate(std::uint64_t address) const {
    const auto found = locations_.find(address);
    if (found != locations_.end()) return found->second;
    return locations_.emplace(address, describe(address)).first->second;
}

std::uint64_t ElfImage::function_start(std::uint64_t address) const {
    CachedStart& cached = starts_[(address ^ address >> 10) % starts_.size()];
    if (cached.address == address) return cached.start;
    const auto* range = symbols_.find(address);
    if (range == nullptr) range = symbols_.find(virtual_of(address));
    cached = {address, range == nullptr ? 0 : range->function};
    return cached.start;
}

}  // namespace

std::unique_ptr<Image> Image::parse(std::vector<std::uint8_t> bytes, std::string name) {
    const std::string shown = name;
    return std::make_unique<ElfImage>(std::move(bytes), std::move(name), shown);
}

std::unique_ptr<Image> Image::load(const std::filesystem::path& path) {
    const std::string file = path.string();
    const auto check = [&](const std::error_code& error) {
        if (error) detail::image_error(file, error.message(), "check its permissions");
    };
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found)
        detail::image_error(file, "no such file", "build the kernel, or name its image with --kernel");
    check(error);
    if (status.type() == std::filesystem::file_type::directory)
        detail::image_error(file, "is a directory", "name the kernel image in it");
    if (status.type() != std::filesystem::file_type::regular)  // reading a pipe or device might never end
        detail::image_error(file, "is not a regular file", "name a kernel image");
    const auto size = std::filesystem::file_size(path, error);
    check(error);
    if (size > max_file_bytes) detail::image_error(file, "larger than 256 MiB", "name a kernel image such as exo.elf");
    std::ifstream stream(path, std::ios::binary);
    if (!stream) detail::image_error(file, std::strerror(errno), "check its permissions");
    std::vector<std::uint8_t> bytes(size);
    stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!stream || static_cast<std::uintmax_t>(stream.gcount()) != size)
        detail::image_error(file, "could not be read to its end", "check the disk, or build the kernel again");
    return std::make_unique<ElfImage>(std::move(bytes), path.filename().string(), file);
}

std::string Image::place(std::uint64_t address) const {
    const Location& location = locate(address);
    const auto hex = [](std::uint64_t value) {
        return (value ? "0x" : "") + llvm::utohexstr(value, /*LowerCase=*/true);
    };
    std::string result = hex(address);
    if (location.function.empty()) return result;
    result += " (" + location.function + "+" + hex(location.offset);
    return result + (location.file.empty() ? "" : ", " + location.file + ":" + std::to_string(location.line)) + ")";
}

}  // namespace sim
