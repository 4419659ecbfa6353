// SPDX-License-Identifier: MIT
// The frame around the timed instructions: descriptor tables, control registers, a page of ring-3 code; all put back.
#include <arch/acpi.hpp>
#include <arch/internal.hpp>
#include <arch/probe.hpp>
#include <hal/cpu.hpp>
#include <regs/exceptions.hpp>
#include <regs/pc.hpp>

namespace hal {
namespace x86 {

constinit ProbeSession probe_session{};

namespace {

constinit regs::InterruptGate probe_idt[regs::vector::count]{};
alignas(16) constinit std::byte ring0_stack[1024]{};  // where INT3 from ring 3 arrives

constexpr regs::CpuidBit has_xsave{1, 0, 2, 26}, has_avx{1, 0, 2, 28}, has_fxsr{1, 0, 3, 24};
constexpr std::uint64_t x87_and_sse = 3, avx = 4;

void write_xcr0(std::uint64_t value) {
    asm volatile("xsetbv" ::"c"(0), "a"(std::uint32_t(value)), "d"(std::uint32_t(value >> 32)) : "memory");
}
std::uint64_t read_xcr0() {
    std::uint32_t low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return std::uint64_t(high) << 32 | low;
}

// One page of ring 3, in tables of its own.
bool make_user_code(TableFrames& frames) {
    ProbeSession& s = probe_session;
    s.code = frames.allocate(frames.self);
    if (s.code == no_frame) return false;
    auto* code = reinterpret_cast<std::uint8_t*>(phys_to_virt(s.code));
    const auto put_syscall = [](std::uint8_t* at) { at[0] = 0x0f, at[1] = 0x05; };
    put_syscall(code);
    std::uint8_t* traps = code + (probe_user_trap_code - probe_user_code);
    for (unsigned i = 0; i < probe_user_traps; ++i) traps[i] = 0xcc;
    put_syscall(traps + probe_user_traps);
    if (page_table_make(frames, s.table) != MmuResult::ok) {
        frames.release(frames.self, s.code);
        return false;
    }
    if (map(s.table, VirtAddr(probe_user_code), s.code, Access::read | Access::execute | Access::user, frames) ==
        MmuResult::ok)
        return true;
    page_table_destroy(s.table, frames);
    frames.release(frames.self, s.code);
    return false;
}

void load_probe_idt() {
    ProbeSession& s = probe_session;
    asm volatile("sidt %0" : "=m"(s.idt));
    asm volatile("sgdt %0" : "=m"(s.gdt));
    __builtin_memcpy(probe_idt, reinterpret_cast<const void*>(s.idt.base), sizeof probe_idt);
    const auto gate = [](std::byte* to, unsigned privilege = 0) {
        return regs::interrupt_gate(address_of(to), HAL_KERNEL_CODE, 0, privilege);
    };
    probe_idt[regs::vector::breakpoint] = gate(probe_iret, 3);
    probe_idt[regs::vector::invalid_opcode] = gate(probe_drop_ud2);
    probe_idt[probe_iret_vector] = gate(probe_iret);
    probe_idt[probe_drop_vector] = gate(probe_drop);
    s.timed_idt = {sizeof probe_idt - 1, address_of(probe_idt)};
    asm volatile("lidt %0" ::"m"(s.timed_idt) : "memory");
}

// x87, SSE and AVX on, with something in each, so that saving them is not left out. The only code of the kernel that
// touches vector registers, which tests/unit/regs/image_code.sh knows by its name.
[[gnu::noinline]] void fill_vector_state() {
    ProbeSession& s = probe_session;
    s.timed_cr0 = s.cr0 & ~(regs::cr0::em | regs::cr0::ts);
    s.timed_cr4 = s.cr4 | (cpuid_has(has_fxsr) ? regs::cr4::osfxsr : 0);
    if (cpuid_has(has_xsave)) s.timed_cr4 |= regs::cr4::osxsave;
    write_cr0(s.timed_cr0);
    write_cr4(s.timed_cr4);
    asm volatile("fninit\n\tfld1\n\tmovd %0, %%xmm0" ::"r"(1));
    if (s.timed_cr4 & regs::cr4::osfxsr) asm volatile("fxsave64 %0" : "+m"(s.area));  // what FXRSTOR loads
    s.xsave_mask = 0;
    if (!cpuid_has(has_xsave)) return;
    s.xcr0 = read_xcr0();
    s.xsave_mask = cpuid_has(has_avx) ? x87_and_sse | avx : x87_and_sse;
    write_xcr0(s.xsave_mask);
    if (s.xsave_mask & avx) asm volatile("vcmpps $15, %%ymm0, %%ymm0, %%ymm0" ::);  // 15: true for all
    asm volatile("xsave64 %0" : "+m"(s.area) : "a"(std::uint32_t(s.xsave_mask)), "d"(0));
}

[[gnu::noinline]] void empty_vector_state() {
    ProbeSession& s = probe_session;
    if (s.xsave_mask & avx) asm volatile("vzeroall");
    asm volatile("fninit\n\tpxor %%xmm0, %%xmm0" ::);
    if (s.xsave_mask) write_xcr0(s.xcr0);
    write_cr4(s.cr4);
    write_cr0(s.cr0);
}

}  // namespace
}  // namespace x86

std::span<const Probe> probes_begin(TableFrames& frames) {
    using namespace x86;
    ProbeSession& s = probe_session;
    if (!make_user_code(frames)) return {};
    s.cr0 = read_cr0(), s.cr3 = read_cr3(), s.cr4 = read_cr4();
    asm volatile("mov %%dr7, %0" : "=r"(s.dr7));
    s.fs_base = rdmsr(regs::msr::fs_base), s.star = rdmsr(regs::msr::star);
    s.lstar = rdmsr(regs::msr::lstar), s.efer = rdmsr(regs::msr::efer);
    s.port_value = in8(0x80);
    auto& task = *static_cast<PerCpuHeader*>(per_cpu())->task_state;
    s.rsp0 = task.rsp[0];
    task.rsp[0] = address_of(ring0_stack + sizeof ring0_stack);
    load_probe_idt();
    s.timed_cr3 = s.table.root.value();
    write_cr3(s.timed_cr3);
    fill_vector_state();
    return probe_cases();
}

bool probe_present(const Probe& probe) { return probe.how->present(); }

ProbeTicks probe_run(const Probe& probe) {
    using namespace x86;
    constexpr unsigned turns = probe_chain_adds / probe_repeats;
    // Twice as many less so many: what the time stamps cost themselves is gone.
    const std::uint64_t one = probe_chain(turns), two = probe_chain(2 * turns);
    const std::uint64_t ticks = probe.how->timed(probe.how->turns), empty = probe.how->empty(probe.how->turns);
    return {ticks, empty, two > one ? two - one : 0};
}

void probes_end(TableFrames& frames) {
    using namespace x86;
    ProbeSession& s = probe_session;
    empty_vector_state();
    write_cr3(s.cr3);
    asm volatile("lidt %0" ::"m"(s.idt) : "memory");
    asm volatile("mov %0, %%dr7" ::"r"(s.dr7));
    wrmsr(regs::msr::lstar, s.lstar);
    wrmsr(regs::msr::fs_base, s.fs_base);
    static_cast<PerCpuHeader*>(per_cpu())->task_state->rsp[0] = s.rsp0;
    // No other CPU has ever used these tables, and this one has just left them: nothing remembers the page.
    PendingFlush page = unmap(s.table, VirtAddr(probe_user_code));
    invlpg(probe_user_code);
    frames.release(frames.self, page.settle());
    page_table_destroy(s.table, frames);
}

MachineName machine_name() {
    using namespace x86;
    MachineName name{};
    const auto words = [](char* to, std::initializer_list<std::uint32_t> from) {
        for (const std::uint32_t word : from) __builtin_memcpy(to, &word, 4), to += 4;
    };
    const CpuidResult basic = cpuid(regs::cpuid::leaf_basic), one = cpuid(regs::cpuid::leaf_features);
    words(name.vendor, {basic.value[1], basic.value[3], basic.value[2]});
    const unsigned family = one.value[0] >> 8 & 15, model = one.value[0] >> 4 & 15;
    name.family = family == 15 ? family + (one.value[0] >> 20 & 255) : family;
    name.model = family == 15 || family == 6 ? model | (one.value[0] >> 12 & 0xf0) : model;
    name.stepping = one.value[0] & 15;
    name.in_guest = cpuid_has(regs::cpuid::hypervisor);
    if (name.in_guest) {
        const CpuidResult leaf = cpuid(regs::cpuid::leaf_hypervisor);
        words(name.hypervisor, {leaf.value[1], leaf.value[2], leaf.value[3]});
    }
    constexpr std::uint32_t leaf_brand = 0x8000'0002, brand_leaves = 3;
    if (cpuid(regs::cpuid::leaf_extended).value[0] >= leaf_brand + brand_leaves - 1)
        for (std::uint32_t i = 0; i < brand_leaves; ++i) {
            const auto [v] = cpuid(leaf_brand + i);
            words(name.brand + 16 * i, {v[0], v[1], v[2], v[3]});
        }
    __builtin_memcpy(name.firmware, machine.firmware_maker, sizeof name.firmware);
    return name;
}

}  // namespace hal
