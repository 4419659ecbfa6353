// SPDX-License-Identifier: MIT
#include <core/cpus.hpp>
#include <hal/smp.hpp>
#include <hal/timer.hpp>
#include <hal/upcalls.hpp>
#include <hal/vector.hpp>
#include <lib/sizes.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <new>
#include <sched/scheduler.hpp>

namespace exo {

namespace {

constinit PerCpu* blocks[hal::cpus_limit] = {};  // filled by the boot CPU before that CPU starts
constinit std::atomic<unsigned> running = 0;     // those of blocks[] that run threads
constinit std::atomic<unsigned> turn = 0;

constexpr unsigned index_of(hal::CpuIndex cpu) { return static_cast<unsigned>(cpu); }

// What the CPU needs before it can allocate for itself.
Result<> prepare(hal::CpuIndex cpu) {
    EXO_TRY(slab_cpu_init(cpu));
    const hal::PhysAddr block = EXO_TRY(frames_allocate(order_for_bytes(sizeof(PerCpu))));
    blocks[index_of(cpu)] = ::new (hal::phys_to_virt(block)) PerCpu;
    blocks[index_of(cpu)]->index = cpu;
    return {};
}

bool start(hal::CpuIndex cpu) {
    if (!prepare(cpu).ok() || !hal::cpu_start(cpu, table_frames())) return false;
    while (running.load(std::memory_order_acquire) <= index_of(cpu)) hal::relax();
    return true;
}

}  // namespace

void cpu_join(PerCpu& cpu) {
    blocks[index_of(cpu.index)] = &cpu;
    running.store(index_of(cpu.index) + 1, std::memory_order_release);
}

void cpus_start() {
    for (unsigned i = 1; i < hal::cpu_count(); ++i)
        if (!start(hal::CpuIndex(i))) return;
}

unsigned cpus_running() { return running.load(std::memory_order_acquire); }

PerCpu& cpu_at(hal::CpuIndex cpu) {
    EXO_ASSERT(index_of(cpu) < cpus_running());
    return *blocks[index_of(cpu)];
}

hal::CpuIndex cpu_in_turn() { return hal::CpuIndex(turn.fetch_add(1, std::memory_order_relaxed) % cpus_running()); }

void cpus_assert_left(const AddressSpace& space) {
    for (unsigned i = 0; i < cpus_running(); ++i)
        EXO_ASSERT(blocks[i]->active_space.load(std::memory_order_relaxed) != &space);
}

void cpus_interrupt_others() {
    for (unsigned i = 0; i < cpus_running(); ++i)
        if (hal::CpuIndex(i) != hal::cpu_index()) hal::send_interrupt(hal::CpuIndex(i), hal::Interrupt::wake);
}

}  // namespace exo

extern "C" [[noreturn]] void hal::kernel_cpu_main(hal::CpuIndex index) {
    using namespace exo;
    PerCpu& cpu = *blocks[index_of(index)];
    hal::cpu_init(index);
    hal::per_cpu_set(&cpu);
    hal::vector_init();
    hal::timer_init();
    scheduler_init();
    cpu_join(cpu);
    idle_loop();
}
