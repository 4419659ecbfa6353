// SPDX-License-Identifier: MIT
// The start of the kernel, in reading order.
#include <abi/marks.hpp>
#include <core/boot_phases.hpp>
#include <core/cpus.hpp>
#include <core/ending.hpp>
#include <core/log.hpp>
#include <core/results.hpp>
#include <core/scenario.hpp>
#include <hal/console.hpp>
#include <hal/smp.hpp>
#include <hal/timer.hpp>
#include <hal/upcalls.hpp>
#include <hal/vector.hpp>
#include <lib/sizes.hpp>
#include <mem/frames.hpp>
#include <sched/reaper.hpp>
#include <sched/scheduler.hpp>

namespace {

using namespace exo;

constinit PerCpu boot_cpu;

void must(Result<> result) { EXO_ASSERT(result.ok()); }

std::string_view name_of(hal::BootPath path) {
    switch (path) {
        case hal::BootPath::direct:
            return "direct entry";
        case hal::BootPath::pvh:
            return "PVH";
        case hal::BootPath::multiboot2:
            return "multiboot2";
        case hal::BootPath::host:
            break;
    }
    return "a Linux process";
}

void banner(const hal::BootInfo& boot) {
    log("Exo-OS 0.1.0, entered by {}\n", name_of(boot.path));
    log("machine: {} MiB free, {} MHz time stamp, features {}\n", frame_stats().free_frames * page_bytes / MiB,
        hal::cycles_per_second() / 1'000'000, hal::cpu_features());
    if (hal::cpu_count() == 1) return;
    log("cpus: {} of {} started\n", cpus_running(), hal::cpu_count());
    if (!hal::cpu_clock_report().empty()) log("{}\n", hal::cpu_clock_report());
}

}  // namespace

extern "C" [[noreturn]] void hal::kernel_main(const hal::BootInfo& boot) {
    boot_begin(boot.entry_cycles);
    ending_init(boot.command_line);
    results_init(boot.command_line);
    EXO_MARK_BEGIN_FENCED(boot);
    boot_phase_done("entry");

    hal::console_init();
    hal::cpu_init(hal::CpuIndex::boot);  // descriptor tables, protections: traps are reported
    hal::per_cpu_set(&boot_cpu);         // this_cpu() works from here on
    hal::vector_init();
    boot_phase_done("cpu");

    frames_init(boot.memory);                                               // the buddy owns free memory
    EXO_ASSERT(hal::mmu_init(boot, table_frames()) == hal::MmuResult::ok);  // W^X, guard pages
    boot_phase_done("memory");

    hal::timer_init();  // frequencies, local APIC timer
    boot_phase_done("timer");

    scheduler_init();  // this context is the idle thread
    cpu_join(boot_cpu);
    if (hal::cpu_count() > 1) {
        cpus_start();  // each sleeps in its idle loop until it is sent a thread
        boot_phase_done("cpus");
    }
    must(reaper_init());
    must(scenario_start(boot.command_line));
    boot_phase_done("threads");
    EXO_MARK_END_FENCED(boot);

    banner(boot);
    idle_loop();
}
