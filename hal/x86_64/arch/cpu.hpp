// SPDX-License-Identifier: MIT
// x86-64: per-CPU data through GS, the time-stamp counter, descriptor tables.
#pragma once
#include <arch/layout.h>
#include <arch/asm.hpp>
#include <cstddef>
#include <hal/types.hpp>
#include <regs/descriptors.hpp>
#include <string_view>

namespace hal {

// See hal/cpu.hpp. Entry code reaches it at fixed offsets from GS.
struct PerCpuHeader {
    void* self = nullptr;                      // per_cpu_set's argument
    std::byte* kernel_stack_top = nullptr;     // set_user_return_stack
    std::uint64_t user_stack_pointer = 0;      // scratch of the system-call entry
    std::byte* interrupt_stack_top = nullptr;  // this CPU's; cpu_init
    CpuIndex index = CpuIndex::boot;           // cpu_init
    std::uint8_t work_pending = 0;             // the kernel's: see hal/cpu.hpp
    std::uint8_t unused[3] = {};
    regs::TaskState* task_state = nullptr;  // cpu_init's
    std::uint64_t active_root = 0;          // activate(): of the page table in use; other CPUs read it
};
static_assert(offsetof(PerCpuHeader, self) == HAL_PERCPU_SELF);
static_assert(offsetof(PerCpuHeader, kernel_stack_top) == HAL_PERCPU_KERNEL_STACK);
static_assert(offsetof(PerCpuHeader, user_stack_pointer) == HAL_PERCPU_USER_STACK);
static_assert(offsetof(PerCpuHeader, interrupt_stack_top) == HAL_PERCPU_INTERRUPT_STACK);
static_assert(offsetof(PerCpuHeader, index) == HAL_PERCPU_INDEX);
static_assert(offsetof(PerCpuHeader, work_pending) == HAL_PERCPU_WORK_PENDING);
static_assert(offsetof(PerCpuHeader, active_root) == HAL_PERCPU_ACTIVE_ROOT);
static_assert(sizeof(PerCpuHeader) == HAL_PERCPU_BYTES);

inline CpuIndex cpu_index() {
    std::uint32_t index;
    asm volatile("movl %%gs:%c1, %0" : "=r"(index) : "i"(HAL_PERCPU_INDEX));
    return CpuIndex(index);
}
inline void* per_cpu() {
    void* self;
    asm volatile("movq %%gs:%c1, %0" : "=r"(self) : "i"(HAL_PERCPU_SELF));
    return self;
}
void per_cpu_set(void*);

namespace x86 {
// What other CPUs want of each: a line of its own, so that looking at it costs nothing while they want nothing.
struct alignas(cache_line_bytes) Requests {
    std::uint32_t word = 0;  // bit per CPU that waits for a flush; two more of idle.cpp's
};
extern Requests requests[];  // by CpuIndex
extern bool sleep_uses_mwait;
void sleep_by_mwait();
}  // namespace x86
void serve_requests();

inline void relax() {
    if (__atomic_load_n(&x86::requests[unsigned(cpu_index())].word, __ATOMIC_RELAXED)) [[unlikely]]
        serve_requests();
    asm volatile("pause" ::: "memory");
}
// STI takes effect after the next instruction (APM3 STI), so no interrupt is lost between it and HLT.
inline void halt_until_interrupt() {
    if (x86::sleep_uses_mwait) x86::sleep_by_mwait();
    else asm volatile("sti\n\thlt\n\tcli" ::: "memory");
}
inline std::uint64_t cycles() {
    std::uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return std::uint64_t(high) << 32 | low;
}
std::uint64_t cycles_per_second();
std::uint64_t entropy();
void cpu_init(CpuIndex);
std::string_view cpu_features();

}  // namespace hal
