// SPDX-License-Identifier: MIT
// CPU identity by GS base, entropy, and the feature line of the boot banner.
#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <hal/cpu.hpp>

#include "state.hpp"

namespace hal {
namespace host {
namespace {

constinit HostCpu blocks[cpus_limit];
static_assert(offsetof(HostCpu, per_cpu) == 8 && offsetof(HostCpu, interrupts_on) == 16);
static_assert(offsetof(HostCpu, pending) == 20 && offsetof(HostCpu, index) == 24);

bool user_may_write_gs_base() {
    constexpr unsigned long hwcap2_fsgsbase = 1ul << 1;  // Linux: arch/x86/include/uapi/asm/hwcap2.h
    return getauxval(AT_HWCAP2) & hwcap2_fsgsbase;
}

void write_gs_base(void* base) {
    if (user_may_write_gs_base()) asm volatile("wrgsbase %0" ::"r"(base) : "memory");
    else if (syscall(SYS_arch_prctl, ARCH_SET_GS, base) != 0) fatal("cannot set the GS base");
}

// Code that only guards a list with an IrqGuard needs no machine: the first Linux thread is the boot CPU from the
// start.
[[gnu::constructor(200)]] void attach_first_thread() { attach_cpu(CpuIndex::boot); }

}  // namespace

HostCpu& cpu_block(CpuIndex index) { return blocks[std::size_t(index)]; }

void attach_cpu(CpuIndex index) {
    HostCpu& cpu = cpu_block(index);
    cpu.self = &cpu;
    cpu.index = index;
    write_gs_base(&cpu);
}

void reset_cpu(HostCpu& cpu) {
    cpu.per_cpu = nullptr;
    cpu.interrupts_on = 0;
    cpu.pending = 0;
    cpu.in_user = 0;
    cpu.timer_deadline_ns = timer_off;
    cpu.active_table = 0;
    cpu.in_trap = false;
}

StackBounds thread_stack() {
    static thread_local const StackBounds bounds = [] {
        pthread_attr_t attributes;
        void* bottom = nullptr;
        std::size_t bytes = 0;
        if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
            pthread_attr_getstack(&attributes, &bottom, &bytes);
            pthread_attr_destroy(&attributes);
        }
        const auto start = reinterpret_cast<std::uintptr_t>(bottom);
        return StackBounds{start, start + bytes};
    }();
    return bounds;
}

}  // namespace host

void cpu_init(CpuIndex index) {
    if (index != cpu_index()) host::fatal("cpu_init for another CPU");
    host::install_trap_handlers();
}

std::string_view cpu_features() { return host::user_may_write_gs_base() ? "host fsgsbase" : "host"; }

std::uint64_t entropy() {
    if (host::entropy_seed) {  // SplitMix64 (Steele, Lea, Flood 2014)
        constexpr std::uint64_t step = 0x9e37'79b9'7f4a'7c15;
        std::uint64_t z = host::entropy_seed->fetch_add(step, std::memory_order_relaxed) + step;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
        return z ^ (z >> 31);
    }
    std::uint64_t value = 0;
    if (getrandom(&value, sizeof value, 0) != sizeof value) host::fatal("getrandom failed");
    return value;
}

}  // namespace hal
