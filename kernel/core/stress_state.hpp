// SPDX-License-Identifier: MIT
// What the workers of the stress share, and the operations they choose from (core/stress_*.cpp). An operation returns
// false when something did not hold that must.
#pragma once
#include <cap/handle_table.hpp>
#include <hal/timer.hpp>
#include <ipc/endpoint.hpp>
#include <lib/mailbox.hpp>
#include <lib/random.hpp>
#include <sched/completion.hpp>

namespace exo::stress {

inline constexpr unsigned bells_count = 6, endpoints_count = 3, servers_limit = 6, handles_count = 12, slots_count = 6;

// Memory that one worker takes and another gives back.
struct Parcel {
    Parcel* next;
    std::uint64_t bytes;
    std::uint64_t stamp;  // follows from its address and size
};

enum class Operation : std::uint8_t {
    sleep,
    ring_bell,
    call,
    serve,
    stream,
    parcel,
    handles,
    remap,
    peek,
    program,
    count
};
inline constexpr std::string_view operation_names[] = {"sleep",  "bell",    "call",  "serve", "stream",
                                                       "parcel", "handles", "remap", "peek",  "program"};
static_assert(std::size(operation_names) == static_cast<std::size_t>(Operation::count));

struct Worker {
    std::uint32_t number = 0;
    Random choices;  // which operations: never depends on how one went, so that a seed names a sequence
    Random values;
    Mailbox<Parcel, &Parcel::next> basket;
    std::atomic<std::uint32_t> done = 0;
    std::atomic<Operation> doing = Operation::count;
    std::uint32_t counts[static_cast<std::size_t>(Operation::count)] = {};
    bool good = true;
    Completion gone;
};

// A place in the shared space where one object after the other is mapped. Generation n: begun = n, entered = n when it
// is mapped, leaving = n before it is unmapped, ended = n when every CPU has forgotten it. Its pages begin with n.
struct RemapSlot {
    std::atomic<bool> taken = false;
    std::atomic<std::uint64_t> begun = 0, entered = 0, leaving = 0, ended = 0;
};

struct State {
    unsigned workers_count = 0;
    std::uint64_t rounds = 0, patience_ns = 0;
    Worker* workers = nullptr;

    WaitQueue bells[bells_count];
    std::atomic<std::uint64_t> given[2] = {}, got[2] = {};  // wake-ups by reason: woken, interrupted

    Ref<Endpoint> endpoints[endpoints_count];
    std::atomic<std::uint32_t> servers = 0;  // that live

    HandleTable handles;
    std::atomic<std::uint64_t> handle_slots[handles_count] = {};  // handle + 1; 0: none

    AddressSpace* space = nullptr;
    RemapSlot slots[slots_count];
};
State& state();

bool sleep(Worker&);
bool ring_bell(Worker&);
bool call(Worker&);
bool serve(Worker&);
bool stream(Worker&);
bool send_parcel(Worker&);
bool use_handles(Worker&);
bool remap(Worker&);
bool peek(Worker&);
bool run_program(Worker&);

bool empty_basket(Worker&);  // false if a parcel was damaged
hal::CpuIndex any_cpu(Random&);
// Computes for a little while, a different one each time.
void dawdle(Random&, std::uint64_t turns_limit);

}  // namespace exo::stress
