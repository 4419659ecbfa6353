// SPDX-License-Identifier: MIT
// What the files of this backend share and the kernel does not see.
#pragma once
#include <arch/layout.h>
#include <arch/cpu.hpp>
#include <cstddef>
#include <cstdint>
#include <hal/types.hpp>
#include <span>
#include <string_view>

namespace hal {
struct BootInfo;
}

namespace hal::x86 {

inline constexpr std::uint64_t early_limit = 4ull << 30;  // what the early direct map covers before it is widened
inline constexpr std::size_t interrupt_stack_pages = 4, boot_stack_pages = 4;
inline constexpr std::size_t special_stack_pages = 2;  // each of #DF, NMI, #MC, #DB: enough to format a panic
inline constexpr unsigned special_stacks = 4;

// Stacks of the image: a guard page, left unmapped by mmu_init, below the usable pages.
template <std::size_t Pages>
struct alignas(HAL_PAGE_BYTES) GuardedStack {
    std::byte guard[HAL_PAGE_BYTES];
    std::byte usable[Pages * HAL_PAGE_BYTES];
    std::byte* top() { return usable + sizeof usable; }
    bool holds(std::uint64_t address) const {
        return address - reinterpret_cast<std::uint64_t>(usable) < sizeof usable;
    }
};
struct CpuStacks {
    GuardedStack<special_stack_pages> special[special_stacks];  // by IST number - 1
    GuardedStack<interrupt_stack_pages> interrupt;
};
extern CpuStacks boot_cpu_stacks;

// Optional features in use: what CPUID has, less what the command line's features=a,b,... leaves out.
struct Features {
    bool smep, smap, umip, pge, page_1g, rdrand, x2apic, tsc_deadline, mwait;
};
extern constinit Features features;
void features_init();  // reads CPUID and the command line; makes the SMAP sites STAC and CLAC. Text still writable.

// What a CPU needs before it can run C++ that may be interrupted: the boot CPU's lies in the image, another's is mapped
// at HAL_CPU_AREAS + index * sizeof(CpuArea), guard pages left out.
struct CpuTables {
    std::uint64_t gdt[7];
    regs::TaskState tss;
    PerCpuHeader boot_header;  // until the kernel has its own
};
struct CpuArea {
    GuardedStack<1> tables;  // a CpuTables at its start
    CpuStacks stacks;
    GuardedStack<boot_stack_pages> boot;
};
static_assert(sizeof(CpuTables) <= HAL_PAGE_BYTES);
inline CpuArea& cpu_area(unsigned cpu) { return reinterpret_cast<CpuArea*>(std::uint64_t{HAL_CPU_AREAS})[cpu]; }
CpuTables& cpu_tables(unsigned cpu);
inline CpuStacks& cpu_stacks(unsigned cpu) { return cpu ? cpu_area(cpu).stacks : boot_cpu_stacks; }
bool cpu_running(unsigned cpu);  // it uses its area

// Before low memory is lost: puts the code by which other CPUs start into a free page of `memory` below 1 MiB. False if
// there is none.
bool trampoline_init(std::span<const MemoryRange> memory);

struct Frequencies {
    std::uint64_t tsc_hz = 0, apic_hz = 0;  // apic_hz: before the divider
};
// On the boot CPU, once its local APIC accepts interrupts. Never zero. Measuring takes 5 to 45 ms.
Frequencies find_frequencies();

// The per-CPU header in use, by CpuIndex; nullptr before the CPU has started.
extern PerCpuHeader* headers[];

// GS base and a first per-CPU header: per_cpu() works from then on.
void boot_header_init(CpuIndex);

// Value of "name=value" on the command line; empty if absent.
std::string_view boot_option(std::string_view name);
// The number that it begins with; `otherwise` if there is none.
std::uint64_t boot_number(std::string_view name, std::uint64_t otherwise);
std::uint64_t boot_seed();     // seed=N; 0 if absent
std::uint64_t entry_cycles();  // time stamp at the image's first instruction

const BootInfo& boot_information();  // what kernel_main was called with

int keyboard_read();  // of the PS/2 keyboard: see hal::console_read

// The screen, if the loader announced one.
struct ScreenShape;
void screen_announced(const ScreenShape&);
const ScreenShape& screen_shape();     // all zero: none
void screen_init(std::byte* memory);   // blank from here on; memory: where it is seen, nullptr: out of reach yet
void screen_moved(std::byte* memory);  // the tables have changed
void screen_write(std::string_view);

extern "C" {
// Linker script.
extern std::byte __boot_start[], __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
    __bss_start[], __bss_end[], __ksyms_start[], __image_end[];
extern std::byte boot_stack_guard[], boot_stack_top[];
extern std::uint64_t early_direct[512];  // early tables: the direct map's 1 GiB entries
extern std::byte cpu_trampoline[], cpu_trampoline_end[];
extern std::byte trap_stubs[], syscall_entry[], iret_to_user[];
}

inline std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }
inline PhysAddr image_phys(const void* pointer) { return PhysAddr(address_of(pointer) - HAL_KERNEL_BASE); }
// The image's pages of physical memory, boot code included.
inline PhysAddr image_start() { return PhysAddr(address_of(__boot_start)); }
inline PhysAddr image_end() { return image_phys(__image_end); }

}  // namespace hal::x86
