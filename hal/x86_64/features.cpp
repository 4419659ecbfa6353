// SPDX-License-Identifier: MIT
// Which optional CPU features are used: what CPUID has, intersected with the command line's features=a,b,... so that
// different CPUs can run the same path.
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <hal/cpu.hpp>

namespace hal {
namespace x86 {
namespace {

struct Named {
    std::string_view name;
    regs::CpuidBit bit;
    bool Features::*used;
};
constexpr Named known[] = {
    {"smep", regs::cpuid::smep, &Features::smep},
    {"smap", regs::cpuid::smap, &Features::smap},
    {"umip", regs::cpuid::umip, &Features::umip},
    {"pge", regs::cpuid::pge, &Features::pge},
    {"pdpe1gb", regs::cpuid::page_1g, &Features::page_1g},
    {"rdrand", regs::cpuid::rdrand, &Features::rdrand},
    {"x2apic", regs::cpuid::x2apic, &Features::x2apic},
    {"tsc_deadline", regs::cpuid::tsc_deadline, &Features::tsc_deadline},
    {"mwait", regs::cpuid::monitor, &Features::mwait},
};

constinit char banner[96]{};
constinit std::size_t banner_length = 0;

void announce(std::string_view name) {
    if (banner_length) banner[banner_length++] = ' ';
    for (const char c : name) banner[banner_length++] = c;
}

bool listed(std::string_view list, std::string_view name) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (list.substr(0, comma) == name) return true;
        list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
    }
    return false;
}

// An entry of .smap_sites: three bytes of code that become STAC or CLAC.
struct SmapSite {
    std::uint8_t* code;
    std::uint64_t allow;  // 1: STAC
};
extern "C" const SmapSite __smap_sites_start[], __smap_sites_end[];

void patch_smap_sites() {
    for (const SmapSite* site = __smap_sites_start; site != __smap_sites_end; ++site) {
        site->code[0] = 0x0f;
        site->code[1] = 0x01;
        site->code[2] = site->allow ? 0xcb : 0xca;
    }
}

// MWAIT has to end at an interrupt although interrupts are masked (leaf 5). What emulators and hypervisors call MWAIT
// is a pause, a fault or a host CPU that spins (QEMU's TCG announces that extension and faults on it): HLT there.
bool mwait_usable() {
    constexpr std::uint32_t extensions = 1, ends_at_masked_interrupts = 2;
    if (cpuid_has(regs::cpuid::hypervisor) || cpuid(regs::cpuid::leaf_basic).value[0] < regs::cpuid::leaf_monitor)
        return false;
    return (cpuid(regs::cpuid::leaf_monitor).value[2] & (extensions | ends_at_masked_interrupts)) ==
           (extensions | ends_at_masked_interrupts);
}

bool present(const Named& feature) {
    return cpuid_has(feature.bit) && (feature.used != &Features::mwait || mwait_usable());
}

}  // namespace

constinit bool sleep_uses_mwait = false;

void use_mwait() {
    if (!sleep_uses_mwait) announce("mwait");
    sleep_uses_mwait = true;
}

void features_init() {
    const std::string_view only = boot_option("features");
    const bool all = only.data() == nullptr;
    for (const Named& feature : known) {
        const bool used = present(feature) && (all || listed(only, feature.name));
        features.*feature.used = used;
        if (used && feature.used != &Features::mwait) announce(feature.name);
    }
    if (features.smap) patch_smap_sites();
}

}  // namespace x86

std::string_view cpu_features() { return {x86::banner, x86::banner_length}; }

}  // namespace hal
