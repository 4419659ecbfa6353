// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/cpuid.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <sim/engine.hpp>
#include <sim/unicorn/cpu_state.hpp>

namespace sim::unicorn {

namespace {

constexpr std::uint32_t last_basic = 0x16, first_hypervisor = 0x4000'0000, first_extended = 0x8000'0000,
                        last_extended = 0x8000'0008;
constexpr std::uint64_t key(std::uint32_t leaf, std::uint32_t subleaf) { return std::uint64_t{leaf} << 32 | subleaf; }
constexpr std::uint32_t bit(unsigned n) { return 1u << n; }

// Leaves whose answer depends on the subleaf.
constexpr bool has_subleaves(std::uint32_t leaf) { return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd; }
constexpr std::uint32_t subleaves = 10;  // of those that have any

// Answers that the engine cannot keep: see docs/limits.md.
void mask_features(std::unordered_map<std::uint64_t, CpuidResult>& leaves) {
    CpuidResult& one = leaves[key(1, 0)];
    one.ebx = (one.ebx & 0xff00) | bit(16);  // one logical processor with APIC id 0
    one.ecx &= ~(bit(3) /* monitor */ | bit(12) /* fma */ | bit(21) /* x2apic */ | bit(24) /* tsc-deadline */ |
                 bit(28) /* avx */ | bit(29) /* f16c */ | bit(30) /* rdrand */);
    one.ecx |= bit(31);  // hypervisor
    CpuidResult& seven = leaves[key(7, 0)];
    seven.ebx &= ~(bit(5) /* avx2 */ | bit(10) /* invpcid */ | bit(16) | bit(17) | bit(21) | bit(28) | bit(30) |
                   bit(31) /* avx512 */ | bit(18) /* rdseed */ | bit(29) /* sha */);
    seven.ecx &= ~(bit(2) /* umip: SGDT in ring 3 is not refused */ | bit(1) | bit(6) | bit(8) /* gfni */ |
                   bit(9) /* vaes */ | bit(10) /* vpclmulqdq */ | bit(11) | bit(12) | bit(14) /* avx512 */ |
                   bit(16) /* la57 */ | bit(22) /* rdpid */);
    seven.edx = 0;
    CpuidResult& state = leaves[key(0xd, 0)];
    state.eax &= 3;  // x87 and SSE
    state.ebx = state.ecx = 576;
    leaves[key(0xd, 1)].eax &= bit(0);  // XSAVEOPT; XSAVEC is #UD
    leaves[key(0xd, 1)].ebx = leaves[key(0xd, 1)].ecx = leaves[key(0xd, 1)].edx = 0;
    for (std::uint32_t component = 2; component < subleaves; ++component) leaves[key(0xd, component)] = {};
    CpuidResult& extended = leaves[key(0x8000'0001, 0)];
    extended.ecx &= ~(bit(2) /* svm */ | bit(11) /* xop */ | bit(16) /* fma4 */ | bit(29) /* mwaitx */);
    leaves[key(0xb, 0)] = {.eax = 0, .ebx = 1, .ecx = 1 << 8, .edx = 0};      // one thread a core
    leaves[key(0xb, 1)] = {.eax = 0, .ebx = 1, .ecx = 1 | 2 << 8, .edx = 0};  // one core a package
}

void add_clocks(std::unordered_map<std::uint64_t, CpuidResult>& leaves) {
    leaves[key(0, 0)].eax = last_basic;
    // TSC = crystal * ebx / eax; the local APIC timer runs at the crystal's frequency (SDM 2A, CPUID leaf 15H).
    leaves[key(0x15, 0)] = {
        .eax = 1, .ebx = std::uint32_t(tsc_hz / lapic_hz), .ecx = std::uint32_t(lapic_hz), .edx = 0};
    leaves[key(0x16, 0)] = {.eax = std::uint32_t(tsc_hz / 1'000'000),
                            .ebx = std::uint32_t(tsc_hz / 1'000'000),
                            .ecx = std::uint32_t(lapic_hz / 1'000'000),
                            .edx = 0};
    leaves[key(0x8000'0007, 0)].edx |= bit(8);  // the TSC never stops or changes its rate
    CpuidResult& name = leaves[key(first_hypervisor, 0)];
    name.eax = first_hypervisor;
    std::memcpy(&name.ebx, "ExoB", 4);
    std::memcpy(&name.ecx, "oard", 4);
    name.edx = 0;
}

}  // namespace

CpuidTable::CpuidTable() {
    const std::unique_ptr<uc_engine, void (*)(uc_engine*)> uc(open_instance(), [](uc_engine* it) { uc_close(it); });
    constexpr std::uint64_t base = 0x1000;
    const std::uint8_t code[] = {0x0f, 0xa2};
    if (uc_mem_map(uc.get(), base, 0x1000, UC_PROT_ALL) || uc_mem_write(uc.get(), base, code, sizeof code))
        throw EngineError("Unicorn cannot set up a scratch CPU to read its CPUID");
    const auto ask = [&](std::uint32_t leaf, std::uint32_t subleaf) {
        std::uint64_t rax = leaf, rcx = subleaf, rbx = 0, rdx = 0;
        uc_reg_write(uc.get(), UC_X86_REG_RAX, &rax);
        uc_reg_write(uc.get(), UC_X86_REG_RCX, &rcx);
        if (uc_emu_start(uc.get(), base, base + sizeof code, 0, 1))
            throw EngineError("Unicorn cannot execute CPUID on a scratch CPU");
        uc_reg_read(uc.get(), UC_X86_REG_RAX, &rax);
        uc_reg_read(uc.get(), UC_X86_REG_RBX, &rbx);
        uc_reg_read(uc.get(), UC_X86_REG_RCX, &rcx);
        uc_reg_read(uc.get(), UC_X86_REG_RDX, &rdx);
        leaves_[key(leaf, subleaf)] = {std::uint32_t(rax), std::uint32_t(rbx), std::uint32_t(rcx), std::uint32_t(rdx)};
    };
    const auto ask_range = [&](std::uint32_t first, std::uint32_t last) {
        for (std::uint32_t leaf = first; leaf <= last; ++leaf)
            for (std::uint32_t subleaf = 0; subleaf < (has_subleaves(leaf) ? subleaves : 1); ++subleaf)
                ask(leaf, subleaf);
    };
    ask(0, 0);
    const std::uint32_t own_last = std::min(leaves_[key(0, 0)].eax, last_basic);
    ask_range(1, own_last);
    ask(first_extended, 0);
    leaves_[key(first_extended, 0)].eax = std::min(leaves_[key(first_extended, 0)].eax, last_extended);
    ask_range(first_extended + 1, leaves_[key(first_extended, 0)].eax);
    mask_features(leaves_);
    add_clocks(leaves_);
}

CpuidResult CpuidTable::operator()(std::uint32_t leaf, std::uint32_t subleaf, unsigned cpu, unsigned cpus) const {
    if (leaf > first_hypervisor && leaf < first_extended) leaf = first_hypervisor;
    const auto found = leaves_.find(key(leaf, has_subleaves(leaf) ? subleaf : 0));
    if (found == leaves_.end()) return {};
    CpuidResult result = found->second;
    if (cpus == 1) return result;
    const unsigned id_bits = unsigned(std::bit_width(cpus - 1));
    if (leaf == 1) {
        result.ebx = (result.ebx & 0xffff) | (1u << id_bits) << 16 | cpu << 24;  // APIC ids in the package; this one's
        result.edx |= bit(28);                                                   // more than one
    } else if (leaf == 0xb) {
        if (subleaf == 1) result.eax = id_bits, result.ebx = cpus;
        result.edx = cpu;
    } else if (leaf == 0x8000'0008) {
        result.ecx = (result.ecx & ~0xf0ffu) | id_bits << 12 | (cpus - 1);
    }
    return result;
}

std::string CpuidTable::brand() const {
    std::string text;
    for (std::uint32_t leaf = 0x8000'0002; leaf <= 0x8000'0004; ++leaf) {
        const CpuidResult part = (*this)(leaf, 0);
        for (const std::uint32_t word : {part.eax, part.ebx, part.ecx, part.edx})
            for (unsigned i = 0; i < 4; ++i)
                if (const char c = char(word >> (8 * i))) text.push_back(c);
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

}  // namespace sim::unicorn
