// SPDX-License-Identifier: MIT
#include <charconv>
#include <core/cpus.hpp>
#include <core/log.hpp>
#include <core/panic.hpp>
#include <core/scenario.hpp>
#include <core/settle.hpp>
#include <core/stress.hpp>
#include <core/stress_state.hpp>
#include <mem/address_space.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <new>
#include <sched/reaper.hpp>

namespace exo {

namespace stress {

namespace {

constexpr unsigned workers_per_cpu = 2;
constexpr std::uint64_t default_rounds = 60, default_patience_ms = 10'000;

constinit State* shared = nullptr;

struct Choice {
    Operation operation;
    std::uint8_t weight;
    bool (*run)(Worker&);
};
constexpr Choice choices[] = {
    {Operation::sleep, 22, sleep},        {Operation::ring_bell, 22, ring_bell}, {Operation::call, 18, call},
    {Operation::serve, 6, serve},         {Operation::stream, 4, stream},        {Operation::parcel, 8, send_parcel},
    {Operation::handles, 8, use_handles}, {Operation::remap, 7, remap},          {Operation::peek, 8, peek},
    {Operation::program, 1, run_program},
};
static_assert(std::size(choices) == static_cast<std::size_t>(Operation::count));

std::uint64_t number(std::string_view text, std::uint64_t otherwise) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? value : otherwise;
}

const Choice& choose(Random& random) {
    unsigned total = 0;
    for (const Choice& choice : choices) total += choice.weight;
    std::uint64_t left = random.below(total);
    for (const Choice& choice : choices) {
        if (left < choice.weight) return choice;
        left -= choice.weight;
    }
    __builtin_unreachable();
}

void worker_main(void* raw) {
    auto& worker = *static_cast<Worker*>(raw);
    for (std::uint64_t round = 0; round < shared->rounds; ++round) {
        const Choice& choice = choose(worker.choices);
        worker.doing.store(choice.operation, std::memory_order_relaxed);
        if (!choice.run(worker) && worker.good) {
            worker.good = false;
            log("stress: worker {}, round {}: {} did not hold\n", worker.number, round,
                operation_names[static_cast<unsigned>(choice.operation)]);
        }
        ++worker.counts[static_cast<unsigned>(choice.operation)];
        worker.done.fetch_add(1, std::memory_order_relaxed);
        preempt_point();
    }
    worker.doing.store(Operation::count, std::memory_order_relaxed);
}

// After a hang, on the way into the panic: what each CPU and each worker is at. Others may still run; a look suffices.
void describe(const TextSink& sink) {
    for (unsigned i = 0; i < cpus_running(); ++i) {
        PerCpu& cpu = cpu_at(hal::CpuIndex(i));
        format_to(sink, "  CPU {}: thread {}, {} runnable, mailbox {}, work pending {}, {} switches\n", i,
                  cpu.current->name, cpu.run_queue.length(), cpu.mailbox.empty() ? "empty" : "with mail",
                  cpu.header.work_pending, cpu.switches);
    }
    for (unsigned i = 0; i < shared->workers_count; ++i) {
        const Worker& worker = shared->workers[i];
        const auto doing = static_cast<std::size_t>(worker.doing.load(std::memory_order_relaxed));
        format_to(sink, "  worker {}: {} done, now {}\n", i, worker.done.load(std::memory_order_relaxed),
                  doing < std::size(operation_names) ? operation_names[doing] : "nothing");
    }
}

// Two of these, on the first CPU and the last, so that one that spins for ever does not stop both.
struct Watchdog {
    WaitQueue end_queue;
    std::atomic<bool> ended = false;
    Completion gone;
};

std::uint64_t progress() {
    std::uint64_t sum = 0;
    for (unsigned i = 0; i < shared->workers_count; ++i) sum += shared->workers[i].done.load(std::memory_order_relaxed);
    return sum;
}

void watch(void* raw) {
    auto& watchdog = *static_cast<Watchdog*>(raw);
    std::uint64_t seen = ~std::uint64_t{0}, since_ns = hal::now_ns();
    hal::IrqGuard masked;
    while (!watchdog.ended.load()) {
        const std::uint64_t now_ns = hal::now_ns();
        if (const std::uint64_t count = progress(); count != seen) {
            seen = count;
            since_ns = now_ns;
        }
        if (now_ns - since_ns > shared->patience_ns) panic("the stress makes no progress");
        wait_unless(
            watchdog.end_queue, [&] { return watchdog.ended.load(); }, now_ns + shared->patience_ns / 8);
    }
}

void call_off(Watchdog& watchdog) {
    {
        hal::IrqGuard masked;
        watchdog.ended = true;
        wake_all(watchdog.end_queue);
    }
    watchdog.gone.wait();
}

template <typename T>
T* allocate(std::uint64_t count = 1) {
    return static_cast<T*>(heap_allocate(count * sizeof(T)));
}

bool prepare(std::string_view command_line, std::uint64_t seed) {
    shared->rounds = number(option(command_line, "rounds", ""), default_rounds);
    shared->patience_ns = number(option(command_line, "patience_ms", ""), default_patience_ms) * 1'000'000;
    shared->workers_count = workers_per_cpu * cpus_running();
    if (!shared->handles.init().ok()) return false;
    for (Ref<Endpoint>& endpoint : shared->endpoints) {
        Result<Ref<Endpoint>> made = Endpoint::create();
        if (!made.ok()) return false;
        endpoint = std::move(*made);
    }
    const Result<AddressSpace*> space = AddressSpace::create();
    if (!space.ok()) return false;
    shared->space = *space;
    shared->workers = allocate<Worker>(shared->workers_count);
    if (shared->workers == nullptr) return false;
    Random seeds(seed);
    for (unsigned i = 0; i < shared->workers_count; ++i) {
        Worker& worker = *::new (&shared->workers[i]) Worker;
        worker.number = i;
        worker.choices = Random(seeds.next());
        worker.values = Random(seeds.next());
    }
    return true;
}

bool run_workers() {
    Watchdog first, last;
    const auto last_cpu = hal::CpuIndex(cpus_running() - 1);
    bool good =
        thread_create("watchdog", priority_reaper + 1, watch, &first, {.gone = &first.gone}).ok() &&
        thread_create("watchdog", priority_reaper + 1, watch, &last, {.home = last_cpu, .gone = &last.gone}).ok();
    EXO_ASSERT(good);
    for (unsigned i = 0; i < shared->workers_count; ++i) {
        Worker& worker = shared->workers[i];
        const auto home = hal::CpuIndex(i % cpus_running());
        const bool started =
            thread_create("worker", priority_kernel, worker_main, &worker, {.home = home, .gone = &worker.gone}).ok();
        EXO_ASSERT(started);
    }
    for (unsigned i = 0; i < shared->workers_count; ++i) {
        shared->workers[i].gone.wait();
        good &= shared->workers[i].good;
    }
    while (shared->servers.load(std::memory_order_acquire) != 0) {  // each ends soon after its last call
        hal::IrqGuard masked;
        WaitQueue nobody;
        wait_on(nobody, hal::now_ns() + 20'000);
    }
    call_off(first);
    call_off(last);
    return good;
}

bool check(bool held, std::string_view what) {
    if (!held) log("stress: {}\n", what);
    return held;
}

bool take_apart() {
    bool good = true;
    for (unsigned i = 0; i < shared->workers_count; ++i) {
        good &= check(empty_basket(shared->workers[i]), "a parcel was damaged");
        shared->workers[i].~Worker();
    }
    heap_free(shared->workers, sizeof(Worker) * shared->workers_count);
    good &= check(shared->given[0] == shared->got[0] && shared->given[1] == shared->got[1],
                  "wake-ups given and wake-ups got differ");
    for (WaitQueue& bell : shared->bells) good &= check(bell.empty(), "somebody waits still");
    good &= check(shared->space->mappings() == 0, "a mapping is left");
    AddressSpace::destroy(shared->space);
    shared->~State();
    heap_free(std::exchange(shared, nullptr), sizeof(State));
    return good;
}

void report() {
    log("  operations:");
    for (std::size_t kind = 0; kind < std::size(operation_names); ++kind) {
        std::uint64_t sum = 0;
        for (unsigned i = 0; i < shared->workers_count; ++i) sum += shared->workers[i].counts[kind];
        log(" {} {}", operation_names[kind], sum);
    }
    log("\n");
}

}  // namespace

State& state() { return *shared; }

void dawdle(Random& random, std::uint64_t turns_limit) {
    for (std::uint64_t turns = random.below(turns_limit); turns != 0; --turns) hal::relax();
}

}  // namespace stress

bool stress_run(std::string_view command_line) {
    using namespace stress;
    const std::uint64_t seed = number(option(command_line, "seed", ""), 0);
    const std::uint64_t free_before = settled_free_frames();
    shared = allocate<State>();
    if (shared == nullptr) return check(false, "no memory to begin with");
    ::new (shared) State;
    if (!prepare(command_line, seed)) return check(false, "no memory to begin with");
    log("stress: seed {}, {} CPUs, {} rounds a worker\n", seed, cpus_running(), shared->rounds);
    panic_describe_with(describe);
    bool good = run_workers();
    panic_describe_with(nullptr);
    report();
    good &= take_apart();
    const std::uint64_t free_after = settled_free_frames();
    good &= check(free_after == free_before, "frames are missing");
    log("stress: {}\n", good ? "passed" : "FAILED");
    return good;
}

}  // namespace exo
