// SPDX-License-Identifier: MIT
// exo-bench-native: the kernel's own code, in a Linux process, on the real CPU. JSON on standard output, progress on
// standard error; with --traced, "ready", and then breakpoints for who traces it by ptrace. Exit status: 0 done, 1 a
// checksum was wrong, 2 usage.
#include <sched.h>

#include <core/cpus.hpp>
#include <cstdio>
#include <exception>
#include <hal/power.hpp>
#include <hal/timer.hpp>
#include <host/machine.hpp>
#include <mem/frames.hpp>
#include <sched/reaper.hpp>
#include <sched/scheduler.hpp>
#include <sched/thread.hpp>
#include <string_view>

#include "cases/cases.hpp"

namespace {

struct Job {
    const hal::HostMachine* machine = nullptr;
    bench::Effort effort = bench::full_effort;
    std::string_view only;  // empty: every row
    std::vector<bench::RowResult> results;
    std::string error;
};
Job job;

void run_rows(void*) {
    try {
        for (const bench::Row& row : bench::rows) {
            if (!job.only.empty() && job.only != row.id) continue;
            fprintf(stderr, "bench: %.*s\n", int(row.id.size()), row.id.data());
            job.results.push_back(row.run(job.effort));
        }
    } catch (const std::exception& error) {
        job.error = error.what();
    }
    hal::power_off(hal::PowerOff::success);
}

// As kernel_main does, without a scenario: only what the rows measure is running.
void boot(void*) {
    static constinit exo::PerCpu cpu;
    const hal::BootInfo& boot_info = job.machine->boot_info();
    hal::per_cpu_set(&cpu);
    hal::cpu_init(hal::CpuIndex::boot);
    exo::frames_init(boot_info.memory);
    if (hal::mmu_init(boot_info, exo::table_frames()) != hal::MmuResult::ok) hal::power_off(hal::PowerOff::failure);
    hal::timer_init();
    exo::scheduler_init();
    exo::cpu_join(cpu);
    const bool started =
        exo::reaper_init().ok() && exo::thread_create("bench", exo::priority_kernel, run_rows, nullptr).ok();
    if (!started) hal::power_off(hal::PowerOff::failure);
    exo::idle_loop();
}

int usage(const char* why) {
    if (why) fprintf(stderr, "exo-bench-native: %s\n", why);
    fprintf(why ? stderr : stdout, "usage: exo-bench-native [--quick] [--row ID [--traced]]\nrows:");
    for (const bench::Row& row : bench::rows)
        fprintf(why ? stderr : stdout, " %.*s", int(row.id.size()), row.id.data());
    fprintf(why ? stderr : stdout, "\n");
    return why ? 2 : 0;
}

bool known(std::string_view id) {
    for (const bench::Row& row : bench::rows)
        if (row.id == id) return true;
    return false;
}

// One CPU for everything, the peers' threads too: they inherit it.
void stay_on_this_cpu() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(sched_getcpu(), &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) fprintf(stderr, "bench: not pinned: figures may jump\n");
}

}  // namespace

int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--help") return usage(nullptr);
        if (option == "--quick") job.effort = bench::quick_effort;
        else if (option == "--traced") job.effort.traced = true;
        else if (option == "--row" && i + 1 < argc && known(argv[i + 1])) job.only = argv[++i];
        else return usage(option == "--row" ? "--row needs the id of a row" : "unknown option");
    }
    if (job.effort.traced && job.only.empty()) return usage("--traced needs --row");
    stay_on_this_cpu();
    hal::HostMachine machine;
    job.machine = &machine;
    if (machine.run(&boot, nullptr) != hal::PowerOff::success) job.error = "the kernel did not start";
    if (!job.error.empty()) {
        fprintf(stderr, "exo-bench-native: %s\n", job.error.c_str());
        return 1;
    }
    if (job.effort.traced) return 0;
    fputs(bench::to_json(job.results).c_str(), stdout);
    int status = 0;
    for (const bench::RowResult& result : job.results) {
        if (result.failure.empty()) continue;
        fprintf(stderr, "exo-bench-native: %s: %s\n", result.text.id.c_str(), result.failure.c_str());
        status = 1;
    }
    return status;
}
