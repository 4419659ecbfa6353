// SPDX-License-Identifier: MIT
// The contract a second time, for the compiler: a backend that misses a function or a shape does not build.
#pragma once
#include <bit>
#include <concepts>
#include <hal/boot_info.hpp>
#include <hal/console.hpp>
#include <hal/context.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/mmu.hpp>
#include <hal/power.hpp>
#include <hal/smp.hpp>
#include <hal/timer.hpp>
#include <hal/trap.hpp>
#include <hal/upcalls.hpp>
#include <hal/user.hpp>
#include <hal/vector.hpp>

namespace hal::contract {

template <typename F, typename R, typename... A>
concept Function = std::is_invocable_r_v<R, F, A...>;

#define HAL_REQUIRES(name, ...) static_assert(Function<decltype(&hal::name), __VA_ARGS__>, "hal::" #name)
HAL_REQUIRES(cpu_index, CpuIndex);
HAL_REQUIRES(per_cpu, void*);
HAL_REQUIRES(per_cpu_set, void, void*);
HAL_REQUIRES(relax, void);
HAL_REQUIRES(halt_until_interrupt, void);
HAL_REQUIRES(cycles, std::uint64_t);
HAL_REQUIRES(cycles_per_second, std::uint64_t);
HAL_REQUIRES(entropy, std::uint64_t);
HAL_REQUIRES(cpu_init, void, CpuIndex);
HAL_REQUIRES(cpu_features, std::string_view);
HAL_REQUIRES(irq_save, IrqState);
HAL_REQUIRES(irq_restore, void, IrqState);
HAL_REQUIRES(irq_enabled, bool);
HAL_REQUIRES(irq_enable, void);
HAL_REQUIRES(irq_disable, void);
HAL_REQUIRES(context_make, Context, std::span<std::byte>, ContextEntry, void*);
HAL_REQUIRES(context_switch, void, Context&, const Context&);
HAL_REQUIRES(context_release, void, Context&);
HAL_REQUIRES(map_kernel_stack, std::span<std::byte>, PhysAddr, std::size_t, TableFrames&);
HAL_REQUIRES(unmap_kernel_stack, void, std::span<std::byte>, PhysAddr, std::size_t);
HAL_REQUIRES(phys_to_virt, std::byte*, PhysAddr);
HAL_REQUIRES(virt_to_phys, PhysAddr, const void*);
HAL_REQUIRES(mmu_init, MmuResult, const BootInfo&, TableFrames&);
HAL_REQUIRES(kernel_page_table, PageTable);
HAL_REQUIRES(page_table_make, MmuResult, TableFrames&, PageTable&);
HAL_REQUIRES(page_table_destroy, void, PageTable, TableFrames&);
HAL_REQUIRES(map, MmuResult, PageTable, VirtAddr, PhysAddr, Access, TableFrames&);
HAL_REQUIRES(unmap, PendingFlush, PageTable, VirtAddr);
HAL_REQUIRES(protect, PendingFlush, PageTable, VirtAddr, Access);
HAL_REQUIRES(translate, std::optional<Mapping>, PageTable, VirtAddr);
HAL_REQUIRES(activate, void, PageTable);
HAL_REQUIRES(flush, PhysAddr, PendingFlush&&);
HAL_REQUIRES(user_alias, VirtAddr, VirtAddr, PhysAddr);
HAL_REQUIRES(timer_init, void);
HAL_REQUIRES(now_ns, std::uint64_t);
HAL_REQUIRES(timer_arm, void, std::uint64_t);
HAL_REQUIRES(timer_disarm, void);
HAL_REQUIRES(console_init, void);
HAL_REQUIRES(console_write, void, std::string_view);
HAL_REQUIRES(console_read, int);
HAL_REQUIRES(power_off, void, PowerOff);
HAL_REQUIRES(reboot, void);
HAL_REQUIRES(cpu_count, unsigned);
HAL_REQUIRES(cpu_start, bool, CpuIndex, TableFrames&);
HAL_REQUIRES(send_interrupt, void, CpuIndex, Interrupt);
HAL_REQUIRES(serve_requests, void);
HAL_REQUIRES(cpu_clock_report, std::string_view);
HAL_REQUIRES(vector_init, void);
HAL_REQUIRES(enter_user, void, VirtAddr, VirtAddr, std::uint64_t);
HAL_REQUIRES(user_range_ok, bool, VirtAddr, std::size_t);
HAL_REQUIRES(user_copy_in, std::size_t, void*, VirtAddr, std::size_t);
HAL_REQUIRES(user_copy_out, std::size_t, VirtAddr, const void*, std::size_t);
HAL_REQUIRES(linked_program, LinkedEntry, std::string_view);
HAL_REQUIRES(set_user_return_stack, void, std::byte*);
HAL_REQUIRES(trap_info, TrapInfo, const TrapFrame&);
HAL_REQUIRES(describe, void, const TrapFrame&, TextSink&);
HAL_REQUIRES(trap_fixup, bool, TrapFrame&);
#undef HAL_REQUIRES

static_assert(std::same_as<std::remove_cv_t<decltype(isolation_enforced)>, bool>);
static_assert(std::same_as<std::remove_cv_t<decltype(vector_available_to_user)>, bool>);
static_assert(std::has_single_bit(kernel_stack_bytes / page_bytes), "kernel stacks come from the buddy");
#ifndef __SANITIZE_THREAD__  // TSan's fibers need a handle beside the two words
static_assert(sizeof(Context) == 16);
#endif
static_assert(requires(UserFrame f, const UserFrame c) {
    { c.number() } -> std::same_as<std::uint64_t>;
    { c.argument(0u) } -> std::same_as<std::uint64_t>;
    { c.message(0u) } -> std::same_as<std::uint64_t>;
    f.set_result(std::int64_t{});
    f.set_message(0u, std::uint64_t{});
});
static_assert(requires(std::uintptr_t & fp, std::uintptr_t& ra) {
    { FramePointerWalk::next(fp, ra) } -> std::same_as<bool>;
});

}  // namespace hal::contract
