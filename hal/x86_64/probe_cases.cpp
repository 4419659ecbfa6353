// SPDX-License-Identifier: MIT
// The timed instructions. Each is repeated 16 times in a turn of a loop, and the same loop without it is timed beside
// it. Values that are written are those that are there already. What comes along with an instruction (five pushes in
// front of IRETQ, the store that makes a task state loadable again) is said at its line: it is in the figure.
#include <arch/internal.hpp>
#include <arch/probe.hpp>
#include <regs/pc.hpp>

namespace hal::x86 {
namespace {

// `what`, 16 times.
#define REPEAT(what) ".rept 16\n\t" what "\n\t.endr"
static_assert(probe_repeats == 16);

template <typename Body>
std::uint64_t timed(unsigned turns) {
    const std::uint64_t start = fenced_ticks();
    for (unsigned i = 0; i < turns; ++i) Body{}();
    return fenced_ticks() - start;
}
using Nothing = decltype([] { asm volatile("" ::: "memory"); });

constexpr regs::CpuidBit has_pcid{1, 0, 2, 17}, has_clflush{1, 0, 3, 19}, has_fxsr{1, 0, 3, 24},
    has_invpcid{7, 0, 1, 10}, has_rdtscp{0x8000'0001, 0, 3, 27}, has_xsaveopt{0xd, 1, 0, 0}, has_xsavec{0xd, 1, 0, 1};
template <regs::CpuidBit const& bit>
bool has() {
    return cpuid_has(bit);
}
bool always() { return true; }
bool has_smap() { return features.smap; }
bool xsave() { return probe_session.xsave_mask != 0; }
bool xsaveopt() { return xsave() && cpuid_has(has_xsaveopt); }
bool xsavec() { return xsave() && cpuid_has(has_xsavec); }

constexpr ProbeSession& s = probe_session;

// CR4.PCIDE only for the time of the batch: CR3's low bits mean something else without it.
template <typename Body>
std::uint64_t timed_with_pcid(unsigned turns) {
    constexpr std::uint64_t low_bits = 0xfff;
    write_cr3(s.timed_cr3 & ~low_bits);
    write_cr4(s.timed_cr4 | regs::cr4::pcide);
    const std::uint64_t ticks = timed<Body>(turns);
    write_cr3(s.timed_cr3 & ~low_bits);
    write_cr4(s.timed_cr4);
    return ticks;
}

// A batch of SYSCALLs in ring 0: LSTAR leads straight back. `count` of them for each turn.
template <typename Body>
std::uint64_t timed_with_lstar(unsigned turns, std::byte* entry) {
    wrmsr(regs::msr::lstar, address_of(entry));
    const std::uint64_t ticks = timed<Body>(turns);
    wrmsr(regs::msr::lstar, s.lstar);
    return ticks;
}
std::uint64_t syscall_ring0(unsigned turns) {
    using Body = decltype([] { asm volatile(REPEAT("syscall")::: "rcx", "r11", "memory", "cc"); });
    return timed_with_lstar<Body>(turns, probe_syscall);
}

template <void (*visit)(std::uint64_t, std::uint64_t), std::byte* const& back>
std::uint64_t visits(std::uint64_t entry, std::uint64_t times) {
    wrmsr(regs::msr::lstar, address_of(back));
    const std::uint64_t start = fenced_ticks();
    visit(entry, times);
    const std::uint64_t ticks = fenced_ticks() - start;
    wrmsr(regs::msr::lstar, s.lstar);
    return ticks;
}
std::byte* const back_from_sysret = probe_back_from_sysret;
std::byte* const back_from_iret = probe_back_from_iret;
std::uint64_t sysret_syscall(unsigned turns) {
    return visits<probe_visit_by_sysret, back_from_sysret>(probe_user_code, std::uint64_t{turns} * probe_repeats);
}
std::uint64_t iret_syscall(unsigned turns) {
    return visits<probe_visit_by_iret, back_from_iret>(probe_user_code, std::uint64_t{turns} * probe_repeats);
}
// As many INT3s in ring 3 as a turn of another case has instructions; the way there and back is what `empty` times.
constexpr unsigned turns_a_visit = probe_user_traps / probe_repeats;
std::uint64_t int3_ring3(unsigned turns) {
    return visits<probe_visit_by_sysret, back_from_sysret>(probe_user_trap_code, turns / turns_a_visit);
}
std::uint64_t ring3_only(unsigned turns) {
    return visits<probe_visit_by_sysret, back_from_sysret>(probe_user_code, turns / turns_a_visit);
}

// A task state can be loaded only while it is not marked busy: bit 1 of its descriptor's type.
std::uint64_t ltr(unsigned turns) {
    using Body = decltype([] {
        asm volatile(REPEAT("andb $0xfd, (%0)\n\tltr %w1")::"r"(s.gdt.base + HAL_TASK_STATE + 5), "r"(HAL_TASK_STATE)
                     : "memory", "cc");
    });
    return timed<Body>(turns);
}

struct Invpcid {
    std::uint64_t pcid, address;
};

// NAME, whether it is there, turns, the body.
#define CASE(name, present, turns, ...) \
    { name, present, timed<decltype([] __VA_ARGS__)>, timed<Nothing>, turns }
constexpr unsigned few = 4, many = 16;

// clang-format off
constexpr ProbeCase cases[] = {
    CASE("rdtsc", always, many, { asm volatile(REPEAT("rdtsc")::: "rax", "rdx", "memory"); }),
    CASE("rdtscp", has<has_rdtscp>, many, { asm volatile(REPEAT("rdtscp")::: "rax", "rcx", "rdx", "memory"); }),
    CASE("swapgs_pair", always, many, { asm volatile(REPEAT("swapgs\n\tswapgs")::: "memory"); }),
    // In this order no interrupt comes in between: STI takes effect after the next instruction.
    CASE("sti_cli", always, many, { asm volatile(REPEAT("sti\n\tcli")::: "memory"); }),
    CASE("pushfq_popfq", always, many, { asm volatile(REPEAT("pushfq\n\tpopfq")::: "memory", "cc"); }),
    CASE("mov_from_cr0", always, many, { asm volatile(REPEAT("mov %%cr0, %%rax")::: "rax", "memory"); }),
    CASE("mov_from_cr3", always, many, { asm volatile(REPEAT("mov %%cr3, %%rax")::: "rax", "memory"); }),
    CASE("mov_from_cr4", always, many, { asm volatile(REPEAT("mov %%cr4, %%rax")::: "rax", "memory"); }),
    CASE("mov_to_cr0", always, few, { asm volatile(REPEAT("mov %0, %%cr0")::"r"(s.timed_cr0) : "memory"); }),
    CASE("mov_to_cr3", always, few, { asm volatile(REPEAT("mov %0, %%cr3")::"r"(s.timed_cr3) : "memory"); }),
    CASE("mov_to_cr4", always, few, { asm volatile(REPEAT("mov %0, %%cr4")::"r"(s.timed_cr4) : "memory"); }),
    {"mov_to_cr3_pcid", has<has_pcid>, timed_with_pcid<decltype([] {
        asm volatile(REPEAT("mov %0, %%cr3")::"r"(s.timed_cr3 & ~0xfffull) : "memory"); })>, timed<Nothing>, few},
    {"mov_to_cr3_noflush", has<has_pcid>, timed_with_pcid<decltype([] {
        asm volatile(REPEAT("mov %0, %%cr3")::"r"((s.timed_cr3 & ~0xfffull) | 1ull << 63) : "memory"); })>,
        timed<Nothing>, few},
    CASE("mov_from_dr7", always, few, { asm volatile(REPEAT("mov %%dr7, %%rax")::: "rax", "memory"); }),
    CASE("mov_to_dr7", always, few, { asm volatile(REPEAT("mov %0, %%dr7")::"r"(s.dr7) : "memory"); }),
    CASE("rdmsr_fs_base", always, many, { asm volatile(REPEAT("rdmsr")::"c"(regs::msr::fs_base) : "rax", "rdx", "memory"); }),
    CASE("rdmsr_efer", always, few, { asm volatile(REPEAT("rdmsr")::"c"(regs::msr::efer) : "rax", "rdx", "memory"); }),
    CASE("wrmsr_fs_base", always, many, { asm volatile(REPEAT("wrmsr")::"c"(regs::msr::fs_base), "a"(std::uint32_t(s.fs_base)),
                                      "d"(std::uint32_t(s.fs_base >> 32)) : "memory"); }),
    CASE("wrmsr_star", always, few, { asm volatile(REPEAT("wrmsr")::"c"(regs::msr::star), "a"(std::uint32_t(s.star)),
                                     "d"(std::uint32_t(s.star >> 32)) : "memory"); }),
    CASE("invlpg", always, few, { asm volatile(REPEAT("invlpg (%0)")::"r"(s.area) : "memory"); }),
    CASE("invpcid", has<has_invpcid>, few, { const Invpcid one{0, address_of(s.area)};  // one address
                                  asm volatile(REPEAT("invpcid %0, %1")::"m"(one), "r"(0ull) : "memory"); }),
    CASE("cpuid", always, few, { asm volatile(REPEAT("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\tcpuid")  // leaf 0
                                     ::: "rax", "rbx", "rcx", "rdx", "memory", "cc"); }),
    CASE("in_80", always, 1, { asm volatile(REPEAT("inb $0x80, %%al")::: "rax", "memory"); }),
    CASE("out_80", always, 1, { asm volatile(REPEAT("outb %%al, $0x80")::"a"(s.port_value) : "memory"); }),
    CASE("int_n_iretq", always, few, { asm volatile(REPEAT("int $0xf0")::: "memory"); }),              // and IRETQ
    CASE("int_n", always, few, { asm volatile(REPEAT("int $0xf1")::: "rax", "memory"); }),       // and a jump back
    CASE("int3_iretq", always, few, { asm volatile(REPEAT("int3")::: "memory"); }),                   // and IRETQ
    CASE("ud2", always, few, { asm volatile(REPEAT("ud2")::: "rax", "memory", "cc"); }),       // and a jump back
    CASE("iretq", always, few, { asm volatile("mov %%rsp, %%rcx\n\t"                             // five pushes in front
                                     REPEAT("push %0\n\tpush %%rcx\n\tpush $2\n\tpush %1\n\tlea 77f(%%rip), %%rax\n\t"
                                            "push %%rax\n\tiretq\n77:")
                                     ::"i"(HAL_KERNEL_DATA), "i"(HAL_KERNEL_CODE) : "rax", "rcx", "memory", "cc"); }),
    {"syscall_ring0", always, syscall_ring0, timed<Nothing>, few},                                       // and a jump back
    {"sysret_syscall", always, sysret_syscall, timed<Nothing>, few},                                      // and a loop of 3 instructions
    {"iretq_syscall", always, iret_syscall, timed<Nothing>, few},                                        // and five pushes
    {"int3_iretq_ring3", always, int3_ring3, ring3_only, few},                                              // and IRETQ
    CASE("lretq", always, few, { asm volatile(REPEAT("push %0\n\tlea 77f(%%rip), %%rax\n\tpush %%rax\n\tlretq\n77:")
                                     ::"i"(HAL_KERNEL_CODE) : "rax", "memory"); }),     // two pushes in front
    CASE("mov_ss", always, few, { asm volatile(REPEAT("mov %0, %%ss")::"r"(HAL_KERNEL_DATA) : "memory"); }),
    CASE("lgdt", always, few, { asm volatile(REPEAT("lgdt %0")::"m"(s.gdt) : "memory"); }),
    CASE("lidt", always, few, { asm volatile(REPEAT("lidt %0")::"m"(s.timed_idt) : "memory"); }),
    {"ltr", always, ltr, timed<Nothing>, few},                                                 // a store in front
    CASE("stac_clac", has_smap, many, { asm volatile(REPEAT("stac\n\tclac")::: "memory", "cc"); }),
    CASE("clflush", has<has_clflush>, few, { asm volatile(REPEAT("clflush %0")::"m"(s.area[0]) : "memory"); }),
    CASE("fxsave", has<has_fxsr>, few, { asm volatile(REPEAT("fxsave64 %0") : "+m"(s.area)); }),
    CASE("fxrstor", has<has_fxsr>, few, { asm volatile(REPEAT("fxrstor64 %0") : "+m"(s.area)); }),
    CASE("xsave", xsave, few, { asm volatile(REPEAT("xsave64 %0") : "+m"(s.area) : "a"(std::uint32_t(s.xsave_mask)), "d"(0)); }),
    CASE("xsaveopt", xsaveopt, few, { asm volatile(REPEAT("xsaveopt64 %0")
                                       : "+m"(s.area) : "a"(std::uint32_t(s.xsave_mask)), "d"(0)); }),
    CASE("xsavec", xsavec, few, { asm volatile(REPEAT("xsavec64 %0")
                                     : "+m"(s.area) : "a"(std::uint32_t(s.xsave_mask)), "d"(0)); }),
    CASE("xrstor", xsave, few, { asm volatile(REPEAT("xrstor64 %0")
                                    : "+m"(s.area) : "a"(std::uint32_t(s.xsave_mask)), "d"(0)); }),
    CASE("xsetbv", xsave, few, { asm volatile(REPEAT("xsetbv")::"c"(0), "a"(std::uint32_t(s.xsave_mask)), "d"(0) : "memory"); }),
    CASE("mfence", always, many, { asm volatile(REPEAT("mfence")::: "memory"); }),
    CASE("lfence", always, many, { asm volatile(REPEAT("lfence")::: "memory"); }),
    CASE("sfence", always, many, { asm volatile(REPEAT("sfence")::: "memory"); }),
    CASE("pause", always, few, { asm volatile(REPEAT("pause")::: "memory"); }),
};
// clang-format on

constexpr auto probes = [] {
    struct {
        Probe list[std::size(cases)];
    } all{};
    for (std::size_t i = 0; i < std::size(cases); ++i)
        all.list[i] = {cases[i].name, cases[i].turns * probe_repeats, &cases[i]};
    return all;
}();

}  // namespace

std::span<const Probe> probe_cases() { return probes.list; }

std::uint64_t probe_chain(unsigned turns) {
    using Body = decltype([] { asm volatile(REPEAT("add $1, %%rax")::: "rax", "cc"); });
    return timed<Body>(turns);
}

}  // namespace hal::x86
