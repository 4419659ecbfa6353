// SPDX-License-Identifier: GPL-2.0-or-later
#include <elf.h>
#include <unicorn/unicorn.h>

#include <cstring>
#include <sim/board/loader.hpp>
#include <sim/board/text.hpp>
#include <sim/unicorn/benchmark.hpp>
#include <sim/unicorn/cpu_state.hpp>

extern "C" const std::uint8_t exo_benchmark_guest[], exo_benchmark_guest_pvh[], exo_benchmark_guest_iterations[],
    exo_benchmark_guest_end[];

namespace sim::unicorn {

namespace {

constexpr std::uint64_t load_address = 0x100000, ram_bytes = 16 << 20;

struct PvhNote {
    Elf64_Nhdr header{.n_namesz = 4, .n_descsz = 4, .n_type = 18};  // XEN_ELFNOTE_PHYS32_ENTRY
    char name[4] = "Xen";
    std::uint32_t entry = std::uint32_t(load_address + std::uint64_t(exo_benchmark_guest_pvh - exo_benchmark_guest));
};

void check(uc_err error, const char* what) {
    if (error) throw EngineError(text("Unicorn cannot %s: %s", what, uc_strerror(error)));
}

void count(uc_engine*, std::uint64_t, std::uint32_t, void* counter) { ++*static_cast<std::uint64_t*>(counter); }

}  // namespace

std::unique_ptr<Image> benchmark_guest(std::uint64_t iterations) {
    const auto code_bytes = std::size_t(exo_benchmark_guest_end - exo_benchmark_guest);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_entry = load_address;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    const PvhNote note;
    Elf64_Phdr segments[2]{};
    segments[0].p_type = PT_LOAD;
    segments[0].p_flags = PF_R | PF_X;
    segments[0].p_offset = sizeof header + sizeof segments + sizeof note;
    segments[0].p_vaddr = segments[0].p_paddr = load_address;
    segments[0].p_filesz = segments[0].p_memsz = code_bytes;
    segments[1].p_type = PT_NOTE;
    segments[1].p_flags = PF_R;
    segments[1].p_offset = sizeof header + sizeof segments;
    segments[1].p_filesz = segments[1].p_memsz = sizeof note;
    segments[1].p_align = 4;
    std::vector<std::uint8_t> file(segments[0].p_offset + code_bytes);
    std::uint8_t* code = file.data() + segments[0].p_offset;
    std::memcpy(file.data(), &header, sizeof header);
    std::memcpy(file.data() + sizeof header, segments, sizeof segments);
    std::memcpy(file.data() + segments[1].p_offset, &note, sizeof note);
    std::memcpy(code, exo_benchmark_guest, code_bytes);
    std::memcpy(code + (exo_benchmark_guest_iterations - exo_benchmark_guest), &iterations, sizeof iterations);
    return Image::parse(std::move(file), "benchmark guest");
}

struct RawRun::State {
    Memory memory{ram_bytes};
    std::unique_ptr<uc_engine, void (*)(uc_engine*)> uc{open_instance(), [](uc_engine* it) { uc_close(it); }};
    std::uint64_t executed = 0;
    std::uint64_t entry = 0;
};

RawRun::RawRun(const Image& image, RawHook hook) : state_(std::make_unique<State>()) {
    State& s = *state_;
    RunConfig config;
    config.image = &image;
    config.entry = BootProtocol::direct;
    const KernelEntry entry = load_kernel(s.memory, config);
    s.entry = entry.address;
    check(uc_mem_map_ptr(s.uc.get(), 0, ram_bytes, UC_PROT_ALL, s.memory.data()), "map RAM");
    check(uc_reg_write(s.uc.get(), UC_X86_REG_RDI, &entry.information), "write a register");
    if (hook == RawHook::none) return;
    uc_hook handle;
    check(uc_hook_add(s.uc.get(), &handle, UC_HOOK_CODE, reinterpret_cast<void*>(count), &s.executed, 1, 0),
          "add a hook");
}

RawRun::~RawRun() = default;

std::uint64_t RawRun::run() {
    // No exit address: only HLT ends it without an error.
    check(uc_emu_start(state_->uc.get(), state_->entry, 0, 0, 0), "run the benchmark guest");
    return state_->executed;
}

}  // namespace sim::unicorn
