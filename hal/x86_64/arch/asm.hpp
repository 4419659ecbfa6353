// SPDX-License-Identifier: MIT
// One-instruction wrappers: control registers, MSRs, CPUID, ports, TLB.
#pragma once
#include <cstdint>
#include <regs/control.hpp>

namespace hal::x86 {

struct CpuidResult {
    std::uint32_t value[4];  // eax, ebx, ecx, edx
};
inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
    CpuidResult r;
    asm volatile("cpuid"
                 : "=a"(r.value[0]), "=b"(r.value[1]), "=c"(r.value[2]), "=d"(r.value[3])
                 : "a"(leaf), "c"(subleaf));
    return r;
}
// False as well when the CPU has no such leaf.
inline bool cpuid_has(regs::CpuidBit bit) {
    if (cpuid(bit.leaf & 0x8000'0000).value[0] < bit.leaf) return false;
    return cpuid(bit.leaf, bit.subleaf).value[bit.reg] >> bit.bit & 1;
}

inline std::uint64_t rdmsr(std::uint32_t number) {
    std::uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return std::uint64_t(high) << 32 | low;
}
inline void wrmsr(std::uint32_t number, std::uint64_t value) {
    asm volatile("wrmsr" ::"c"(number), "a"(std::uint32_t(value)), "d"(std::uint32_t(value >> 32)) : "memory");
}

inline std::uint64_t read_cr0() {
    std::uint64_t value;
    asm volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}
inline void write_cr0(std::uint64_t value) { asm volatile("mov %0, %%cr0" ::"r"(value) : "memory"); }
inline std::uint64_t read_cr3() {
    std::uint64_t value;
    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
inline void write_cr3(std::uint64_t value) { asm volatile("mov %0, %%cr3" ::"r"(value) : "memory"); }
inline std::uint64_t read_cr4() {
    std::uint64_t value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}
inline void write_cr4(std::uint64_t value) { asm volatile("mov %0, %%cr4" ::"r"(value) : "memory"); }
inline void invlpg(std::uint64_t address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }

inline void out8(std::uint16_t port, std::uint8_t value) {
    asm volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
inline std::uint8_t in8(std::uint16_t port) {
    std::uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

inline std::uint32_t in32(std::uint16_t port) {
    std::uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline void out16(std::uint16_t port, std::uint16_t value) {
    asm volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
inline std::uint16_t in16(std::uint16_t port) {
    std::uint16_t value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
inline void out32(std::uint16_t port, std::uint32_t value) {
    asm volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

}  // namespace hal::x86
