// SPDX-License-Identifier: GPL-2.0-or-later
#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <devenv/validation/block_model.hpp>

namespace devenv {

std::string suspected_cause(const BlockFacts& facts, double measured, double predicted, double naive) {
    std::string cause = predicted > measured ? "too slow: " : "too fast: ";
    const double width = facts.instructions / 6.0;
    if (!facts.suspicious.empty()) return cause + facts.suspicious.front();
    if (predicted > measured && naive > width * 1.05 && measured < naive * 0.95)
        return cause + "a dependency that hardware breaks (idiom, eliminated move)";
    if (predicted > measured) return cause + (facts.memory ? "loads and stores a cycle" : "a unit or latency too few");
    if (naive <= width * 1.05 && measured > width * 1.3)
        return cause + (facts.memory ? "banks or lines of loads and stores" : "units shared by these instructions");
    return cause + (facts.memory ? "a latency of a load or on the way to it" : "a latency on the dependency chain");
}

namespace {

// Families and models by the vendors' revision guides.
std::string_view cpu_file(std::string_view vendor, unsigned family, unsigned model) {
    if (vendor == "AuthenticAMD") {
        if (family == 0x1a) return "znver5";
        if (family != 0x19) return "";
        const bool zen4 =
            (model >= 0x10 && model <= 0x1f) || (model >= 0x60 && model <= 0x7f) || (model >= 0xa0 && model <= 0xaf);
        return zen4 ? "znver4" : "znver3";
    }
    if (vendor == "GenuineIntel" && family == 6 && model == 0x55) return "skylake-avx512";
    return "";
}

}  // namespace

NativeCpu native_cpu() {
    NativeCpu cpu;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    std::array<char, 13> vendor{};
    if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx)) return cpu;
    std::memcpy(vendor.data(), &ebx, 4);
    std::memcpy(vendor.data() + 4, &edx, 4);
    std::memcpy(vendor.data() + 8, &ecx, 4);
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    cpu.family = (eax >> 8 & 15) + ((eax >> 8 & 15) == 15 ? eax >> 20 & 255 : 0);
    cpu.model = (eax >> 4 & 15) | ((eax >> 16 & 15) << 4);
    cpu.emulated_or_virtual = ecx >> 31;
    std::array<char, 49> brand{};
    for (unsigned i = 0; i < 3; ++i) {
        if (!__get_cpuid(0x80000002 + i, &eax, &ebx, &ecx, &edx)) break;
        const unsigned words[] = {eax, ebx, ecx, edx};
        std::memcpy(brand.data() + std::size_t{i} * 16, words, 16);
    }
    cpu.brand = brand.data();
    while (cpu.brand.ends_with(' ')) cpu.brand.pop_back();
    cpu.name = cpu_file(vendor.data(), cpu.family, cpu.model);
    return cpu;
}

}  // namespace devenv
