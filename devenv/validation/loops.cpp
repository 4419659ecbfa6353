// SPDX-License-Identifier: GPL-2.0-or-later
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <bench/harness/clock.hpp>
#include <cmath>
#include <cstring>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/loops.hpp>
#include <random>
#include <sim/timing/cpu.hpp>
#include <utility>

extern "C" {
#define LOOP(name) std::uint64_t exo_loop_##name(std::byte*, std::uint64_t, std::uint64_t, std::uint64_t)
LOOP(chase);
LOOP(walk);
LOOP(copy_vector);
LOOP(copy_rep);
LOOP(fill_rep);
LOOP(fill_vector);
LOOP(fill_nontemporal);
LOOP(branches);
LOOP(forward);
LOOP(forward_failed);
LOOP(crossing_loads);
LOOP(crossing_stores);
LOOP(flush);
LOOP(calls);
LOOP(switches);
#undef LOOP
}

namespace devenv {

namespace {

constexpr double agreement = 0.02;
constexpr std::uint64_t kib = 1024, mib = 1024 * kib, line = 64;
constexpr std::uint64_t apart = 2 * kib;  // source and destination of a copy, beyond its size: not equal modulo 4 KiB

Loop chase(std::string id, std::string title, std::uint64_t bytes, std::uint64_t step = line) {
    return {std::move(id),
            std::move(title),
            exo_loop_chase,
            LoopData::chase,
            bytes,
            step,
            std::max<std::uint64_t>(bytes / step, 20000),
            1,
            bytes > 32 * mib && step == line};
}
Loop walk(std::string id, std::string title, std::uint64_t bytes, std::uint64_t step) {
    return {std::move(id),
            std::move(title),
            exo_loop_walk,
            LoopData::zeros,
            bytes,
            step,
            std::max<std::uint64_t>(bytes / step, 20000),
            1,
            bytes > 32 * mib};
}
// Figures of copies and fills are of 64 bytes.
Loop over(std::string id, std::string title, LoopCode code, std::uint64_t bytes, bool two) {
    return {std::move(id),
            std::move(title),
            code,
            LoopData::zeros,
            bytes,
            bytes + apart,
            std::max<std::uint64_t>(256 * kib / bytes, 1),
            double(bytes) / line,
            bytes > 12 * mib,
            two ? bytes + apart : 0};
}

const Loop loops[] = {
    chase("chase-16k", "pointer chase over 16 KiB: L1", 16 * kib),
    chase("chase-512k", "over 512 KiB: L2", 512 * kib),
    chase("chase-8m", "over 8 MiB: L3", 8 * mib),
    chase(std::string(memory_chase), "over 64 MiB: memory", 64 * mib),
    walk("walk-16k", "independent loads of 8 bytes, one after the other, over 16 KiB", 16 * kib, 8),
    walk("walk-512k", "over 512 KiB", 512 * kib, 8),
    walk("walk-8m", "over 8 MiB", 8 * mib, 8),
    walk("walk-64m", "over 64 MiB", 64 * mib, 8),
    walk("stride-64-512k", "independent loads, a line apart, over 512 KiB", 512 * kib, 64),
    walk("stride-64-8m", "over 8 MiB", 8 * mib, 64),
    walk("stride-64-64m", "over 64 MiB", 64 * mib, 64),
    walk("stride-256-8m", "256 bytes apart, over 8 MiB", 8 * mib, 256),
    walk("stride-1k-8m", "1 KiB apart, over 8 MiB", 8 * mib, 1 * kib),
    walk("stride-4k-8m", "4 KiB and a line apart, over 8 MiB", 8 * mib, 4 * kib + 64),
    over("copy-64", "copy of 64 bytes, SSE", exo_loop_copy_vector, 64, true),
    over("copy-512", "of 512 bytes", exo_loop_copy_vector, 512, true),
    over("copy-4k", "of 4 KiB", exo_loop_copy_vector, 4 * kib, true),
    over("copy-256k", "of 256 KiB: L2", exo_loop_copy_vector, 256 * kib, true),
    over("copy-4m", "of 4 MiB: L3", exo_loop_copy_vector, 4 * mib, true),
    over("copy-32m", "of 32 MiB: memory", exo_loop_copy_vector, 32 * mib, true),
    over("movsb-64", "rep movsb of 64 bytes", exo_loop_copy_rep, 64, true),
    over("movsb-512", "of 512 bytes", exo_loop_copy_rep, 512, true),
    over("movsb-4k", "of 4 KiB", exo_loop_copy_rep, 4 * kib, true),
    over("movsb-256k", "of 256 KiB: L2", exo_loop_copy_rep, 256 * kib, true),
    over("movsb-4m", "of 4 MiB: L3", exo_loop_copy_rep, 4 * mib, true),
    over("movsb-32m", "of 32 MiB: memory", exo_loop_copy_rep, 32 * mib, true),
    over("fill-256k", "fill of 256 KiB, SSE", exo_loop_fill_vector, 256 * kib, false),
    over("fill-64m", "of 64 MiB", exo_loop_fill_vector, 64 * mib, false),
    over("stosb-4k", "rep stosb of 4 KiB", exo_loop_fill_rep, 4 * kib, false),
    over("stosb-64m", "of 64 MiB", exo_loop_fill_rep, 64 * mib, false),
    over("nontemporal-64m", "fill past the caches of 64 MiB", exo_loop_fill_nontemporal, 64 * mib, false),
    {"branches-random", "a branch on random bits", exo_loop_branches, LoopData::random_bytes, 4 * mib, 0, 400000},
    {"branches-pattern", "on a pattern of 16", exo_loop_branches, LoopData::patterned, 16 * kib, 0, 100000},
    {"calls", "a call and its return", exo_loop_calls, LoopData::zeros, 64, 0, 20000},
    {"forward", "store and load of the same word", exo_loop_forward, LoopData::zeros, 256, 0, 20000},
    {"forward-failed", "two stores, one load over both", exo_loop_forward_failed, LoopData::zeros, 256, 0, 20000},
    {"crossing-loads", "loads over the end of a line", exo_loop_crossing_loads, LoopData::zeros, 512, 0, 20000, 4},
    {"crossing-stores", "stores over it", exo_loop_crossing_stores, LoopData::zeros, 512, 0, 20000, 2},
    {"mailbox", "a word to another processor, one way; the model's by its placement", nullptr},
    {"flush", "store, clflush, mfence, load", exo_loop_flush, LoopData::zeros, 64, 0, 2000, 1, true},
};

class Memory {
  public:
    Memory(std::uint64_t bytes, bool small_pages) : bytes_((bytes + 2 * huge - 1) / huge * huge) {
        mapped_ =
            mmap(nullptr, bytes_ + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped_ == MAP_FAILED) throw Failure(Exit::missing, "there is no memory for the loops");
        const auto address = (reinterpret_cast<std::uintptr_t>(mapped_) + huge - 1) / huge * huge;
        start_ = reinterpret_cast<std::byte*>(address);
        madvise(start_, bytes_, small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);  // refused, it is slower here
    }
    ~Memory() { munmap(mapped_, bytes_ + huge); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;
    std::span<std::byte> get() const { return {start_, bytes_}; }

  private:
    static constexpr std::uint64_t huge = 2 * mib;
    std::uint64_t bytes_;
    void* mapped_;
    std::byte* start_;
};

// The lowest value on which two batches agree, or the lowest.
LoopTime settle(std::vector<double> batches) {
    std::ranges::sort(batches);
    for (std::size_t i = 0; i + 1 < batches.size(); ++i)
        if (const double spread = batches[i + 1] / batches[i] - 1; spread <= agreement) return {batches[i], spread};
    return {batches.front(), batches[1] / batches[0] - 1};
}

// On one processor, and afterwards wherever we might be before.
class Pinned {
  public:
    Pinned() {
        sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<unsigned>(sched_getcpu()), &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    ~Pinned() { sched_setaffinity(0, sizeof before_, &before_); }

  private:
    cpu_set_t before_{};
};

// Signals wait meanwhile: a loop may have moved the stack.
class SignalsWait {
  public:
    SignalsWait() {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsWait() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_{};
};

}  // namespace

const LoopCode chase_code = exo_loop_chase, walk_code = exo_loop_walk, switch_code = exo_loop_switches;

std::span<const Loop> classic_loops() { return loops; }
bool is_reference(const Loop& loop) { return loop.id == memory_chase || !loop.code; }

LoopTime time_loop(const Loop& loop, double most_seconds) {
    constexpr unsigned fewest = 5, most = 60;
    const Pinned pinned;
    const Memory memory(memory_of(loop), loop.small_pages);
    prepare(loop, memory.get(), reinterpret_cast<std::uintptr_t>(memory.get().data()));
    std::vector<double> batches;
    const auto run = [&] {
        const SignalsWait wait;
        loop.code(memory.get().data(), loop.bytes, loop.parameter, loop.count);
    };
    run();
    const auto enough = bench::ticks() + static_cast<std::uint64_t>(most_seconds * bench::ticks_per_second());
    while (batches.size() < fewest || (batches.size() < most && bench::ticks() < enough)) {
        const double before = bench::core_per_tick();
        const std::uint64_t start = bench::ticks();
        run();
        const auto passed = static_cast<double>(bench::ticks() - start);
        const double after = bench::core_per_tick();
        batches.push_back(passed * (before + after) / 2 / double(loop.count) / loop.units);
        if (stop_requested()) throw Failure(Exit::interrupted, "interrupted");
    }
    return settle(std::move(batches));
}

std::uint64_t memory_of(const Loop& loop) { return loop.bytes + loop.also + 4 * kib; }

void prepare(const Loop& loop, std::span<std::byte> memory, std::uint64_t base) {
    std::memset(memory.data(), 0, memory.size());
    std::mt19937_64 random(1);
    if (loop.data == LoopData::chase || loop.data == LoopData::threads) {
        const std::uint64_t at = loop.data == LoopData::threads ? line : 0;
        std::vector<std::uint32_t> order(loop.bytes / loop.parameter);
        for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
        for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
        for (std::size_t i = 0; i < order.size(); ++i) {
            const std::uint64_t next = base + order[(i + 1) % order.size()] * loop.parameter + at;
            std::memcpy(&memory[order[i] * loop.parameter + at], &next, sizeof next);
        }
    } else if (loop.data != LoopData::zeros) {
        for (std::uint64_t i = 0; i < loop.bytes; ++i)
            memory[i] =
                loop.data == LoopData::patterned && i >= 16 ? memory[i - 16] : static_cast<std::byte>(random() >> 32);
    }
}

namespace {

std::vector<LoopResult> selected(const std::string& only) {
    std::vector<LoopResult> results;
    bool ratios = false, chase = false;
    for (const Loop& loop : loops)
        if (loop.id.find(only) != loop.id.npos) {
            results.emplace_back().loop = &loop;
            ratios |= loop.by_memory, chase |= loop.id == memory_chase;
        }
    if (results.empty()) throw Failure(Exit::usage, "--loop: no classic loop's id contains '" + only + "'");
    if (!ratios || chase) return results;
    const auto reference = std::ranges::find(loops, memory_chase, &Loop::id);
    results.insert(results.begin(), LoopResult{})->loop = reference;
    return results;
}

void measure_mailbox(LoopResult& result, const std::string& cpu) {
    if (const std::optional<LoopTime> here = time_mailbox())
        result.measured = here->cycles, result.spread = here->spread;
    else result.excluded = "there is but one processor";
    if (!cpu.empty()) result.modelled = sim::timing::load_cpu(cpu)->machine.transfer();
}

// A virtual machine may have been given a small part of a third level that others use.
void leave_out_what_has_no_third_level(std::vector<LoopResult>& results) {
    const auto find = [&](std::string_view id) {
        return std::ranges::find_if(results, [&](const LoopResult& one) { return one.loop->id == id; });
    };
    const auto third = find("chase-8m"), memory = find(memory_chase);
    if (third == results.end() || memory == results.end() || third->measured < memory->measured / 2) return;
    for (LoopResult& one : results)
        if (const std::uint64_t bytes = one.loop->bytes + one.loop->also; !one.loop->by_memory && bytes > 2 * mib)
            one.excluded = "this machine has no third level of that size for us";
}

}  // namespace

std::vector<LoopResult> measure_loops(const std::string& cpu, const std::string& only,
                                      const std::function<void(std::string_view)>& progress) {
    std::vector<LoopResult> results = selected(only);
    const LoopResult* memory = nullptr;
    for (LoopResult& result : results) {
        progress(result.loop->id);
        if (!result.loop->code) {
            measure_mailbox(result, cpu);
            continue;
        }
        const LoopTime here = time_loop(*result.loop, 0.5);
        result.measured = here.cycles, result.spread = here.spread;
        if (here.spread > agreement) result.excluded = "no two batches agree within 2 %";
        if (!cpu.empty()) result.modelled = model_loop(*result.loop, cpu, result.instructions);
        if (result.loop->id == memory_chase) memory = &result;
    }
    leave_out_what_has_no_third_level(results);
    for (LoopResult& result : results) {
        if (cpu.empty() || !(result.measured > 0)) continue;
        result.error = result.modelled / result.measured - 1;
        if (result.loop->by_memory)
            result.error = result.modelled / memory->modelled / (result.measured / memory->measured) - 1;
    }
    return results;
}

}  // namespace devenv
