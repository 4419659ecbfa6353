// SPDX-License-Identifier: MIT
#include "cpus.hpp"

#include <hal/vector.hpp>

#include "frames.hpp"

namespace contract {
namespace {

constexpr unsigned kinds = 4;  // of Interrupt

struct alignas(hal::cache_line_bytes) Cpu {
    hal::PerCpuHeader header;
    Job job = nullptr;  // nullptr: nothing to do
    void* argument = nullptr;
    std::uint64_t counts[kinds] = {};
    bool started = false;
};
constinit Cpu cpus[hal::cpus_limit]{};
CountedFrames frames;  // of what the CPUs stand on: never given back

Cpu& of(hal::CpuIndex index) { return cpus[unsigned(index)]; }

}  // namespace

void cpu_main(hal::CpuIndex index) {
    Cpu& cpu = of(index);
    hal::cpu_init(index);
    hal::per_cpu_set(&cpu);
    hal::vector_init();
    hal::timer_init();
    for (;;) {
        while (!__atomic_load_n(&cpu.job, __ATOMIC_ACQUIRE)) hal::halt_until_interrupt();
        cpu.job(cpu.argument);
        __atomic_store_n(&cpu.job, Job{}, __ATOMIC_RELEASE);
    }
}

void count_interrupt(hal::Interrupt kind) {
    std::uint64_t& count = of(hal::cpu_index()).counts[unsigned(kind) % kinds];
    __atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
}

std::uint64_t interrupts(hal::CpuIndex index, hal::Interrupt kind) {
    return __atomic_load_n(&of(index).counts[unsigned(kind)], __ATOMIC_ACQUIRE);
}

bool have_cpu(hal::CpuIndex index) {
    if (!of(index).started) of(index).started = hal::cpu_start(index, frames.source());
    return of(index).started;
}

void give(hal::CpuIndex index, Job job, void* argument) {
    Cpu& cpu = of(index);
    cpu.argument = argument;
    __atomic_store_n(&cpu.job, job, __ATOMIC_RELEASE);
    const hal::IrqGuard masked;
    hal::send_interrupt(index, hal::Interrupt::wake);
}

bool finished(hal::CpuIndex index) {
    return wait_for([&] { return __atomic_load_n(&of(index).job, __ATOMIC_ACQUIRE) == nullptr; });
}

}  // namespace contract
