// SPDX-License-Identifier: MIT
// The other CPUs: Linux threads that run kernel_cpu_main on a stack of their own, and what one CPU does to another,
// which is to set a bit in its pending word and to end its sleep.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hal/irq.hpp>
#include <hal/upcalls.hpp>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "state.hpp"

namespace hal {
namespace host {
namespace {

constinit unsigned announced = 1;
constinit std::atomic<unsigned> running = 1;

std::vector<std::thread>& threads() {
    static std::vector<std::thread> started;
    return started;
}

void enter_kernel(void* index) { kernel_cpu_main(CpuIndex(reinterpret_cast<std::uintptr_t>(index))); }

void cpu_thread(CpuIndex index, const RunStack& stack) {
    attach_cpu(index);
    run_guest(stack, &enter_kernel, reinterpret_cast<void*>(std::uintptr_t(index)));
    remove_signal_stack();
}

}  // namespace

void set_cpu_count(unsigned count) { announced = count; }
unsigned running_cpus() { return running.load(std::memory_order_acquire); }

void wake_cpu(HostCpu& cpu) {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&cpu.pending), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void end_others() {
    for (unsigned i = 0; i < running_cpus(); ++i) {
        if (CpuIndex(i) == cpu_index()) continue;
        HostCpu& cpu = cpu_block(CpuIndex(i));
        cpu.pending.fetch_or(pending_end, std::memory_order_seq_cst);
        wake_cpu(cpu);
    }
}

void join_others() {
    for (std::thread& thread : threads()) thread.join();
    threads().clear();
    running.store(1, std::memory_order_release);
}

}  // namespace host

unsigned cpu_count() { return host::announced; }

// CPUs are started in order, by the boot CPU.
bool cpu_start(CpuIndex index, TableFrames&) {
    if (unsigned(index) != host::running_cpus() || unsigned(index) >= cpu_count()) return false;
    host::HostCpu& cpu = host::cpu_block(index);
    host::reset_cpu(cpu);
    cpu.active_table = host::this_cpu().active_table;
    try {
        auto stack = std::make_unique<host::RunStack>();
        host::running.store(unsigned(index) + 1, std::memory_order_release);
        host::threads().emplace_back([index, own = std::move(stack)] { host::cpu_thread(index, *own); });
    } catch (const std::system_error&) {
        host::running.store(unsigned(index), std::memory_order_release);
        return false;
    }
    return true;
}

// The sleeper looks at the word and goes to sleep in one step of Linux, so none is missed.
void send_interrupt(CpuIndex index, Interrupt kind) {
    host::HostCpu& cpu = host::cpu_block(index);
    if (cpu.pending.fetch_or(1u << unsigned(kind), std::memory_order_seq_cst) == 0) host::wake_cpu(cpu);
}

}  // namespace hal
