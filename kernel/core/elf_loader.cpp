// SPDX-License-Identifier: MIT
// Structures: System V ABI, ELF-64 object file format.
#include <core/elf_loader.hpp>
#include <hal/mmu.hpp>
#include <hal/user.hpp>
#include <lib/sizes.hpp>

namespace exo {

namespace {

struct ElfHeader {
    std::uint8_t ident[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_headers, section_headers;
    std::uint32_t flags;
    std::uint16_t header_bytes, program_header_bytes, program_header_count;
    std::uint16_t section_header_bytes, section_header_count, section_names;
};
static_assert(sizeof(ElfHeader) == 64);

struct ProgramHeader {
    std::uint32_t type, flags;
    std::uint64_t offset, virtual_address, physical_address, file_bytes, memory_bytes, alignment;
};
static_assert(sizeof(ProgramHeader) == 56);

constexpr std::uint32_t pt_load = 1, pf_execute = 1, pf_write = 2, pf_read = 4;
constexpr std::uint64_t program_limit = 1ull << 40;  // programs are linked low; AddressSpace places the rest above

bool is_static_x86_64(const ElfHeader& header) {
    static constexpr std::uint8_t magic[] = {0x7f, 'E', 'L', 'F', 2 /* 64-bit */, 1 /* little-endian */};
    return __builtin_memcmp(header.ident, magic, sizeof magic) == 0 && header.type == 2 /* ET_EXEC */ &&
           header.machine == 62 /* EM_X86_64 */ && header.program_header_bytes == sizeof(ProgramHeader);
}

// Copies the segment's bytes into its object's zeroed pages, through the direct map.
void fill(VmObject& object, std::uint64_t offset_in_page, std::span<const std::byte> bytes) {
    std::uint64_t at = offset_in_page;
    while (!bytes.empty()) {
        const std::uint64_t in_page = at % page_bytes;
        const std::size_t part = bytes.size() < page_bytes - in_page ? bytes.size() : page_bytes - in_page;
        __builtin_memcpy(hal::phys_to_virt(object.page(at / page_bytes)) + in_page, bytes.data(), part);
        bytes = bytes.subspan(part);
        at += part;
    }
}

Result<> load_segment(std::span<const std::byte> file, const ProgramHeader& segment, AddressSpace& space,
                      Quota& quota) {
    const bool inside_file = segment.offset <= file.size() && segment.file_bytes <= file.size() - segment.offset;
    const bool sane = segment.file_bytes <= segment.memory_bytes && segment.memory_bytes <= program_limit &&
                      segment.virtual_address >= page_bytes && segment.virtual_address < program_limit &&
                      segment.memory_bytes <= program_limit - segment.virtual_address;
    if (!inside_file || !sane) return Error::bad_argument;
    if ((segment.flags & pf_write) != 0 && (segment.flags & pf_execute) != 0) return Error::bad_argument;

    const std::uint64_t start = align_down(segment.virtual_address, page_bytes);
    const std::uint64_t offset_in_page = segment.virtual_address - start;
    const std::uint64_t pages = pages_for(offset_in_page + segment.memory_bytes);
    Ref<VmObject> object = EXO_TRY(VmObject::make_paged(pages, quota));
    fill(*object, offset_in_page, file.subspan(segment.offset, segment.file_bytes));

    hal::Access access = hal::Access::user | hal::Access::read;
    if ((segment.flags & pf_write) != 0) access = access | hal::Access::write;
    if ((segment.flags & pf_execute) != 0) access = access | hal::Access::execute;
    const Result<hal::VirtAddr> mapped = space.map(*object, 0, pages, access, hal::VirtAddr(start));
    if (mapped.ok()) return {};
    return mapped.error() == Error::no_memory ? Error::no_memory : Error::bad_argument;  // segments that overlap
}

}  // namespace

Result<hal::VirtAddr> load_elf(std::span<const std::byte> file, AddressSpace& space, Quota& quota) {
    ElfHeader header;
    if (file.size() < sizeof header) return Error::bad_argument;
    __builtin_memcpy(&header, file.data(), sizeof header);
    if (!is_static_x86_64(header)) return Error::bad_argument;
    const std::uint64_t table_bytes = std::uint64_t{header.program_header_count} * sizeof(ProgramHeader);
    if (header.program_headers > file.size() || table_bytes > file.size() - header.program_headers)
        return Error::bad_argument;
    bool entry_is_code = false;
    for (unsigned i = 0; i < header.program_header_count; ++i) {
        ProgramHeader segment;
        __builtin_memcpy(&segment, file.data() + header.program_headers + i * sizeof segment, sizeof segment);
        if (segment.type != pt_load || segment.memory_bytes == 0) continue;
        EXO_TRY(load_segment(file, segment, space, quota));
        entry_is_code |= (segment.flags & pf_execute) != 0 && header.entry >= segment.virtual_address &&
                         header.entry - segment.virtual_address < segment.file_bytes;
    }
    if (!entry_is_code) return Error::bad_argument;
    return hal::VirtAddr(header.entry);
}

}  // namespace exo
