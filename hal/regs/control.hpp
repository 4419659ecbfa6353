// SPDX-License-Identifier: MIT
// Control registers, flags, selectors, CPUID: the bits the kernel uses, by the names the manuals give them.
// constexpr only; builds anywhere.
#pragma once
#include <cstdint>

namespace regs {

namespace cr0 {  // APM2 3.1.1
inline constexpr std::uint64_t pe = 1u << 0, mp = 1u << 1, em = 1u << 2, ts = 1u << 3, et = 1u << 4, ne = 1u << 5,
                               wp = 1u << 16, am = 1u << 18, nw = 1u << 29, cd = 1u << 30, pg = 1u << 31;
}
namespace cr4 {  // APM2 3.1.3
inline constexpr std::uint64_t tsd = 1u << 2, de = 1u << 3, pse = 1u << 4, pae = 1u << 5, mce = 1u << 6, pge = 1u << 7,
                               osfxsr = 1u << 9, osxmmexcpt = 1u << 10, umip = 1u << 11, la57 = 1u << 12,
                               fsgsbase = 1u << 16, pcide = 1u << 17, osxsave = 1u << 18, smep = 1u << 20,
                               smap = 1u << 21;
}
namespace efer {  // APM2 3.1.7
inline constexpr std::uint64_t sce = 1u << 0, lme = 1u << 8, lma = 1u << 10, nxe = 1u << 11;
}
namespace rflags {  // APM2 3.1.4
inline constexpr std::uint64_t cf = 1u << 0, always_one = 1u << 1, pf = 1u << 2, af = 1u << 4, zf = 1u << 6,
                               sf = 1u << 7, tf = 1u << 8, interrupts = 1u << 9, df = 1u << 10, of = 1u << 11,
                               iopl = 3u << 12, nt = 1u << 14, rf = 1u << 16, ac = 1u << 18, id = 1u << 21;
// What SYSCALL clears on entry: interrupts off, no trap, string operations upwards, no SMAP override, no nested task.
inline constexpr std::uint64_t cleared_by_syscall = interrupts | tf | df | ac | nt;
}  // namespace rflags

// One bit of what CPUID reports: leaf, sub-leaf, register (0 = eax, 1 = ebx, 2 = ecx, 3 = edx), bit (APM3 app. E).
struct CpuidBit {
    std::uint32_t leaf, subleaf;
    std::uint8_t reg, bit;
};
namespace cpuid {
inline constexpr std::uint32_t leaf_basic = 0, leaf_features = 1, leaf_monitor = 5, leaf_extended_features = 7,
                               leaf_tsc = 0x15, leaf_frequency = 0x16, leaf_hypervisor = 0x4000'0000,
                               leaf_hypervisor_timing = 0x4000'0010, leaf_extended = 0x8000'0000,
                               leaf_extended_flags = 0x8000'0001;
inline constexpr CpuidBit mce{1, 0, 3, 7}, pge{1, 0, 3, 13}, apic{1, 0, 3, 9}, x2apic{1, 0, 2, 21},
    tsc_deadline{1, 0, 2, 24}, monitor{1, 0, 2, 3}, rdrand{1, 0, 2, 30}, hypervisor{1, 0, 2, 31}, fsgsbase{7, 0, 1, 0},
    smep{7, 0, 1, 7}, erms{7, 0, 1, 9}, smap{7, 0, 1, 20}, umip{7, 0, 2, 2}, nx{0x8000'0001, 0, 3, 20},
    page_1g{0x8000'0001, 0, 3, 26}, long_mode{0x8000'0001, 0, 3, 29};
}  // namespace cpuid

}  // namespace regs
