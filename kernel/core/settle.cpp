// SPDX-License-Identifier: MIT
#include <core/cpus.hpp>
#include <core/settle.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <sched/completion.hpp>
#include <sched/reaper.hpp>

namespace exo {

std::uint64_t settled_free_frames() {
    for (unsigned i = 0; i < cpus_running(); ++i) {
        if (hal::CpuIndex(i) == hal::cpu_index()) continue;
        Completion gone;
        const auto trim = [](void*) { slab_trim(); };
        const bool started =
            thread_create("trim", priority_kernel, trim, nullptr, {.home = hal::CpuIndex(i), .gone = &gone}).ok();
        EXO_ASSERT(started);
        gone.wait();
    }
    reaper_settle();
    slab_trim();
    return frame_stats().free_frames + stack_table_frames();
}

}  // namespace exo
