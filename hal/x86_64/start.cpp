// SPDX-License-Identifier: MIT
// From the assembly entry to kernel_main: copies what the loader left (StartInfo or multiboot2 information) into the
// image's own memory, works out which RAM is free, widens the early direct map over it, runs static constructors.
#include <abi/boot.hpp>
#include <arch/acpi.hpp>
#include <arch/internal.hpp>
#include <arch/multiboot2.hpp>
#include <arch/ranges.hpp>
#include <arch/screen.hpp>
#include <hal/console.hpp>
#include <hal/cpu.hpp>
#include <hal/upcalls.hpp>
#include <regs/page_table.hpp>

extern "C" std::uintptr_t __stack_chk_guard;

namespace hal {
namespace x86 {
namespace {

constexpr std::uint64_t low_memory = 1 << 20;         // firmware's; kept for other CPUs' real-mode start
constexpr std::uint64_t direct_limit = 512ull << 30;  // one root entry
constexpr std::size_t command_line_max = 1023, memory_entries_max = 512;

constinit RangeSet memory{};
constinit char command_line[command_line_max + 1]{};
constinit std::size_t command_line_length = 0;
constinit std::uint64_t start_time = 0;
constinit BootInfo boot_info{};
constinit std::uint64_t acpi_root = 0;
constinit std::byte rsdp_copy[sizeof(regs::acpi::RsdpLayout)]{};  // of the loader's, which may be no firmware memory

template <typename T>
const T* at_phys(std::uint64_t physical) {
    return reinterpret_cast<const T*>(physical + std::uint64_t{HAL_DIRECT_MAP});
}
// Loader structures are read through the early map; one that lies outside is ignored.
bool reachable(std::uint64_t physical, std::uint64_t bytes) {
    return physical != 0 && physical < early_limit && bytes <= early_limit - physical;
}

void copy_command_line(const char* text, std::size_t limit) {
    while (command_line_length < command_line_max && command_line_length < limit && text[command_line_length]) {
        command_line[command_line_length] = text[command_line_length];
        ++command_line_length;
    }
}

// RAM first, then everything else is taken away, whatever the order of the list. Entry: base, length, type.
template <typename Entries>
void take_memory_map(const Entries& for_each) {
    for_each([](std::uint64_t base, std::uint64_t bytes, std::uint32_t type) {
        const std::uint64_t end = bytes > ~base ? ~std::uint64_t{0} : base + bytes;
        if (type == exo::abi::memory_type_ram) memory.add(base, end);
    });
    for_each([](std::uint64_t base, std::uint64_t bytes, std::uint32_t type) {
        const std::uint64_t end = bytes > ~base ? ~std::uint64_t{0} : base + bytes;
        if (type != exo::abi::memory_type_ram) memory.remove(base, end);
    });
}

void read_start_info(std::uint64_t physical) {
    using namespace exo::abi;
    if (!reachable(physical, sizeof(StartInfo))) return;
    const auto& info = *at_phys<StartInfo>(physical);
    if (info.magic != start_info_magic) return;
    if (reachable(info.command_line, 1))
        copy_command_line(at_phys<char>(info.command_line), early_limit - info.command_line);
    acpi_root = info.rsdp;
    if (info.version < 1 || info.memory_map_entries > memory_entries_max) return;
    if (!reachable(info.memory_map, info.memory_map_entries * sizeof(StartInfoMemory))) return;
    const auto* entries = at_phys<StartInfoMemory>(info.memory_map);
    take_memory_map([&](auto&& use) {
        for (std::uint32_t i = 0; i < info.memory_map_entries; ++i)
            use(entries[i].address, entries[i].bytes, entries[i].type);
    });
}

// The newer tag's wins, in whatever order they come; one that is too short to be a table leads to none.
void copy_rsdp(const multiboot2::Tag& tag) {
    const std::size_t bytes = tag.bytes - sizeof tag;
    if (tag.type == multiboot2::tag_acpi_old && acpi_root != 0) return;
    if (bytes < regs::acpi::rsdp_v0_bytes) return;
    __builtin_memset(rsdp_copy, 0, sizeof rsdp_copy);
    __builtin_memcpy(rsdp_copy, &tag + 1, bytes < sizeof rsdp_copy ? bytes : sizeof rsdp_copy);
    acpi_root = image_phys(rsdp_copy).value();
}

void read_framebuffer(const multiboot2::FramebufferTag& tag) {
    using namespace multiboot2;
    ScreenShape shape{tag.address, tag.pitch, tag.width, tag.height};
    if (tag.type == framebuffer_rgb && tag.tag.bytes >= framebuffer_text_bytes + 6) {
        shape.pixel_bytes = std::uint8_t((tag.bits_per_pixel + 7) / 8);
        shape.ink = full_component(tag.red.position, tag.red.bits) |
                    full_component(tag.green.position, tag.green.bits) |
                    full_component(tag.blue.position, tag.blue.bits);
        if (shape.pixel_bytes == 0 || shape.ink == 0) return;
    } else if (tag.type != framebuffer_text) {
        return;
    }
    if (shape.plausible()) screen_announced(shape);
}

void read_multiboot2_tag(const multiboot2::Tag& tag) {
    using namespace multiboot2;
    if (tag.type == tag_command_line)
        copy_command_line(reinterpret_cast<const char*>(&tag + 1), tag.bytes - sizeof(Tag));
    if (tag.type == tag_acpi_old || tag.type == tag_acpi_new) copy_rsdp(tag);
    if (tag.type == tag_framebuffer && tag.bytes >= framebuffer_text_bytes)
        read_framebuffer(reinterpret_cast<const FramebufferTag&>(tag));
    if (tag.type != tag_memory_map || tag.bytes < sizeof(MemoryMapTag)) return;
    const auto& map = reinterpret_cast<const MemoryMapTag&>(tag);
    if (map.entry_bytes < sizeof(MemoryMapEntry)) return;
    take_memory_map([&](auto&& use) {
        for (std::uint32_t at = sizeof(MemoryMapTag); at + sizeof(MemoryMapEntry) <= tag.bytes; at += map.entry_bytes) {
            const auto* entry = reinterpret_cast<const MemoryMapEntry*>(reinterpret_cast<const std::byte*>(&tag) + at);
            use(entry->base, entry->length, entry->type);
        }
    });
}

void read_multiboot2(std::uint64_t physical) {
    using namespace multiboot2;
    if (!reachable(physical, sizeof(Information))) return;
    const std::uint64_t total = at_phys<Information>(physical)->total_bytes;
    if (!reachable(physical, total)) return;
    for (std::uint64_t at = sizeof(Information); at + sizeof(Tag) <= total;) {
        const auto& tag = *at_phys<Tag>(physical + at);
        if (tag.type == tag_end || tag.bytes < sizeof(Tag) || tag.bytes > total - at) return;
        read_multiboot2_tag(tag);
        at += (tag.bytes + 7ull) & ~7ull;
    }
}

// With 1 GiB pages the early direct map can reach everything; without, memory above 4 GiB is left alone.
void widen_direct_map() {
    using namespace regs;
    if (!features.page_1g) {
        memory.remove(early_limit, ~std::uint64_t{0});
        return;
    }
    memory.remove(direct_limit, ~std::uint64_t{0});
    if (memory.ranges().empty()) return;
    const MemoryRange& last = memory.ranges().back();
    for (std::uint64_t at = early_limit; at < last.start.value() + last.bytes; at += paging::page_1g)
        early_direct[at / paging::page_1g] = at | pte::present | pte::write | pte::large;
}

}  // namespace

std::string_view boot_option(std::string_view name) {
    std::string_view rest(command_line, command_line_length);
    while (!rest.empty()) {
        const auto space = rest.find(' ');
        const std::string_view word = rest.substr(0, space);
        if (word.size() > name.size() && word.substr(0, name.size()) == name && word[name.size()] == '=')
            return word.substr(name.size() + 1);
        rest = space == rest.npos ? std::string_view{} : rest.substr(space + 1);
    }
    return {};
}

std::uint64_t boot_number(std::string_view name, std::uint64_t otherwise) {
    const std::string_view text = boot_option(name);
    if (text.empty() || text[0] < '0' || text[0] > '9') return otherwise;
    std::uint64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') break;
        value = value * 10 + unsigned(c - '0');
    }
    return value;
}

std::uint64_t boot_seed() { return boot_number("seed", 0); }

const BootInfo& boot_information() { return boot_info; }

std::uint64_t entry_cycles() { return start_time; }

// Called once by boot_high. No stack protector: it seeds the guard, and never returns to check it.
extern "C" [[noreturn, gnu::no_stack_protector]] void hal_start(std::uint64_t information, unsigned way,
                                                                std::uint64_t time) {
    start_time = time;
    boot_header_init(CpuIndex::boot);
    if (way == HAL_BOOT_MULTIBOOT2) read_multiboot2(information);
    else read_start_info(information);
    features_init();
    widen_direct_map();
    const std::uint64_t cpus_wanted = boot_number("cpus", cpus_limit);
    machine_init(PhysAddr(acpi_root), cpus_wanted < cpus_limit ? unsigned(cpus_wanted) : cpus_limit);
    if (machine.cpus > 1 && !trampoline_init(memory.ranges())) machine.cpus = 1;
    memory.remove(0, low_memory);
    memory.remove(screen_shape().physical, screen_shape().physical + screen_shape().bytes());
    memory.remove(image_start().value(), image_end().value());
    static_assert(HAL_BOOT_DIRECT == unsigned(BootPath::direct) && HAL_BOOT_PVH == unsigned(BootPath::pvh));
    static_assert(HAL_BOOT_MULTIBOOT2 == unsigned(BootPath::multiboot2));
    boot_info = {BootPath(way), memory.ranges(), {command_line, command_line_length}, PhysAddr(acpi_root), start_time};
    __stack_chk_guard = entropy() & ~std::uint64_t{0xff};
    extern void (*const init_array_start[])() asm("__init_array_start");
    extern void (*const init_array_end[])() asm("__init_array_end");
    for (auto* constructor = init_array_start; constructor != init_array_end; ++constructor) (*constructor)();
    console_init();
    kernel_main(boot_info);
}

}  // namespace x86
}  // namespace hal
