// SPDX-License-Identifier: MIT
#include <abi/marks.hpp>
#include <core/cpus.hpp>
#include <core/log.hpp>
#include <core/process.hpp>
#include <core/tour_cpus.hpp>
#include <core/tour_threads.hpp>
#include <hal/smp.hpp>
#include <hal/user.hpp>
#include <ipc/endpoint.hpp>
#include <user/init.hpp>

namespace exo {

namespace {

constexpr std::uint64_t rounds = 100;

// A count that one thread raises and another waits for.
struct Counter {
    std::atomic<std::uint64_t> value = 0;
    WaitQueue changed;

    void raise_to(std::uint64_t reached) {
        hal::IrqGuard masked;
        value.store(reached, std::memory_order_release);
        wake_one(changed);
    }
    void wait_for(std::uint64_t wanted) {
        hal::IrqGuard masked;
        const auto reached = [&] { return value.load(std::memory_order_acquire) >= wanted; };
        while (!reached()) wait_unless(changed, reached);
    }
};

struct Volley {
    Counter there, back;
    Completion gone;
};

void return_volleys(void* raw) {
    auto& volley = *static_cast<Volley*>(raw);
    for (std::uint64_t i = 1; i <= rounds; ++i) {
        volley.there.wait_for(i);
        volley.back.raise_to(i);
    }
}

// Wake-ups there and back: nothing but two mailboxes and two interrupts.
bool wake_each_other(hal::CpuIndex other) {
    Volley volley;
    if (!thread_create("volley", priority_kernel, return_volleys, &volley, {.home = other, .gone = &volley.gone}).ok())
        return false;
    for (std::uint64_t i = 1; i <= rounds; ++i) {
        EXO_MARK_BEGIN(kernel.cross_wake_round_trip);
        volley.there.raise_to(i);
        volley.back.wait_for(i);
        EXO_MARK_END(kernel.cross_wake_round_trip);
    }
    volley.gone.wait();
    return true;
}

struct Service {
    Ref<Endpoint> endpoint;
    Completion gone;
};

void serve(void* raw) {
    auto& service = *static_cast<Service*>(raw);
    hal::IrqGuard masked;
    std::uint64_t(&message)[4] = this_cpu().current->message;
    for (std::uint64_t served = 0; service.endpoint->reply_and_wait(served < rounds ? no_deadline : 0).ok(); ++served)
        for (std::uint64_t& word : message) ++word;
    service.endpoint->handle_removed(abi::right_serve);
}

bool call_the_other(hal::CpuIndex other) {
    Result<Ref<Endpoint>> endpoint = Endpoint::create();
    if (!endpoint.ok()) return false;
    Service service{.endpoint = *endpoint};
    service.endpoint->handle_added(abi::right_serve);
    if (!thread_create("service", priority_kernel, serve, &service, {.home = other, .gone = &service.gone}).ok())
        return false;
    bool right = true;
    std::uint64_t(&message)[4] = this_cpu().current->message;
    for (std::uint64_t i = 0; i < rounds; ++i) {
        for (unsigned word = 0; word < 4; ++word) message[word] = i + word;
        {
            hal::IrqGuard masked;
            EXO_MARK_BEGIN(kernel.cross_call_reply);
            right &= service.endpoint->call(no_deadline).ok();
            EXO_MARK_END(kernel.cross_call_reply);
        }
        for (unsigned word = 0; word < 4; ++word) right &= message[word] == i + word + 1;
    }
    service.gone.wait();
    return right;
}

constexpr hal::VirtAddr shared_page{0x100'0000};
constexpr std::uint64_t shared_word = 0x5eed'0f7a'6c3d'1b24;

struct Reader {
    AddressSpace& space;
    std::atomic<std::uint64_t> reads = 0;
    std::atomic<bool> unmapped = false;
    bool right = true;
    Completion gone;
};

// Until the page is gone. Once unmap() has returned elsewhere, not a single read may succeed here.
void read_until_it_faults(void* raw) {
    auto& reader = *static_cast<Reader*>(raw);
    {
        hal::IrqGuard masked;
        borrow_space(reader.space);
    }
    for (;;) {
        const bool unmapped = reader.unmapped.load();
        std::uint64_t word = 0;
        if (hal::user_copy_in(&word, shared_page, sizeof word) != 0) break;
        reader.right &= !unmapped && word == shared_word;
        reader.reads.fetch_add(1);
        if (unmapped) break;
        hal::relax();
    }
    leave_space(reader.space);
}

bool unmap_under(Reader& reader, hal::CpuIndex other) {
    if (!thread_create("reader", priority_kernel, read_until_it_faults, &reader, {.home = other, .gone = &reader.gone})
             .ok())
        return false;
    while (reader.reads.load() < 10) hal::relax();
    EXO_MARK_BEGIN(kernel.unmap_shared_page);
    const bool unmapped = reader.space.unmap(shared_page).ok();
    EXO_MARK_END(kernel.unmap_shared_page);
    reader.unmapped = true;
    reader.gone.wait();
    return unmapped && reader.right;
}

bool take_a_page_away(hal::CpuIndex other) {
    if (!hal::isolation_enforced) return true;
    Quota quota{1};
    const Result<Ref<VmObject>> page = VmObject::make_paged(1, quota);
    const Result<AddressSpace*> space = AddressSpace::create();
    if (!page.ok() || !space.ok()) return false;
    *reinterpret_cast<std::uint64_t*>((*page)->data()) = shared_word;
    bool good = false;
    if ((*space)->map(**page, 0, 1, hal::Access::read | hal::Access::user, shared_page).ok()) {
        Reader reader{.space = **space};
        good = unmap_under(reader, other);
    }
    AddressSpace::destroy(*space);
    return good;
}

bool ended_well(Process& process) {
    process.wait_for_end();
    return !process.killed() && process.exit_status() == 0;
}

// One on each CPU at the same time, then a family whose children the kernel spreads.
bool run_programs() {
    bool good = true;
    Ref<Process> processes[hal::cpus_limit];
    for (unsigned i = 0; i < cpus_running(); ++i) {
        Result<Ref<Process>> process = Process::spawn("null_caller", {}, rounds, hal::CpuIndex(i));
        if (!process.ok()) return false;
        processes[i] = std::move(*process);
    }
    for (unsigned i = 0; i < cpus_running(); ++i) good &= ended_well(*processes[i]);
    using user::InitTask;
    for (const InitTask task : {InitTask::call_and_reply, InitTask::shared_ring}) {
        const Result<Ref<Process>> family = Process::spawn("init", {}, user::init_argument(task, rounds));
        good &= family.ok() && ended_well(**family);
    }
    return good;
}

template <typename Check>
bool with_each_other_cpu(Check check) {
    bool good = true;
    for (unsigned i = 1; i < cpus_running(); ++i) good &= check(hal::CpuIndex(i));
    return good;
}

bool told(bool good, std::string_view what) {
    if (!good) log("  {}: FAILED\n", what);
    else log("  {}\n", what);
    return good;
}

}  // namespace

bool tour_several_cpus() {
    bool good = told(with_each_other_cpu(wake_each_other), "wake-ups there and back");
    good &= told(with_each_other_cpu([](hal::CpuIndex other) { return tour_ping_pong(rounds, other) == rounds; }),
                 "messages of 64 B through rings, there and back");
    good &= told(with_each_other_cpu(call_the_other), "calls and replies");
    good &=
        told(with_each_other_cpu(take_a_page_away),
             hal::isolation_enforced ? "a page that is unmapped here faults there" : "unmapping: not enforced here");
    good &= told(run_programs(), "programs on every CPU, and families across them");
    log("  with each of {} other CPUs\n", cpus_running() - 1);
    return good;
}

}  // namespace exo
