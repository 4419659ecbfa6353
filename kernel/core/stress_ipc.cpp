// SPDX-License-Identifier: MIT
// The stress, part one: waits that end in every way, calls to servers that die, streams whose ends leave early.
#include <core/cpus.hpp>
#include <core/stress_state.hpp>
#include <ipc/fusion_ring.hpp>
#include <ipc/ring.hpp>
#include <mem/slab.hpp>
#include <new>
#include <sched/reaper.hpp>

namespace exo::stress {

namespace {

void count(std::atomic<std::uint64_t> (&tally)[2], WaitReason reason, std::uint64_t by) {
    if (reason == WaitReason::woken) tally[0].fetch_add(by, std::memory_order_relaxed);
    if (reason == WaitReason::interrupted) tally[1].fetch_add(by, std::memory_order_relaxed);
}

WaitReason end_wait(bool cancel) {
    if (!cancel) return wait_commit();
    return wait_cancel() ? WaitReason::timeout : this_cpu().current->wait_reason;
}

}  // namespace

// On one to three bells, up to 60 us. Exactly one of waker, deadline and change of mind must end it: the tallies of
// wake-ups given and got agree at the end.
bool sleep(Worker& worker) {
    Random& random = worker.values;
    WaitQueue* const bells = state().bells;
    const std::uint64_t first = random.below(bells_count), kind = random.below(3), delay_ns = random.below(60'000);
    const bool cancel = random.once_in(6);
    hal::IrqGuard masked;
    const std::uint64_t deadline_ns = hal::now_ns() + delay_ns;
    WaitQueue& a = bells[first];
    WaitQueue& b = bells[(first + 1) % bells_count];
    WaitQueue& c = bells[(first + 2) % bells_count];
    if (kind == 0) wait_begin({&a}, deadline_ns);
    else if (kind == 1) wait_begin({&a, &b}, deadline_ns);
    else wait_begin({&c, &b, &a}, deadline_ns);
    count(state().got, end_wait(cancel), 1);
    return true;
}

bool ring_bell(Worker& worker) {
    Random& random = worker.values;
    WaitQueue& bell = state().bells[random.below(bells_count)];
    const WaitReason reason = random.once_in(2) ? WaitReason::woken : WaitReason::interrupted;
    const bool all = random.once_in(2);
    hal::IrqGuard masked;
    const unsigned woken = all ? wake_all(bell, reason) : wake_one(bell, reason);
    count(state().given, reason, woken);
    return true;
}

// A server answers each word plus one. No server, one that dies with the call, or a deadline are fine; a wrong answer
// is not, and neither is silence.
bool call(Worker& worker) {
    Random& random = worker.values;
    Endpoint& endpoint = *state().endpoints[random.below(endpoints_count)];
    const std::uint64_t first = random.next(), delay_ns = random.below(40'000);
    const bool patient = random.once_in(2);
    hal::IrqGuard masked;
    std::uint64_t(&message)[4] = this_cpu().current->message;
    for (unsigned i = 0; i < 4; ++i) message[i] = first + i * 1000;
    const Result<> result = endpoint.call(patient ? no_deadline : hal::now_ns() + delay_ns);
    if (!result.ok()) return result.error() == Error::peer_dead || (!patient && result.error() == Error::timeout);
    bool right = true;
    for (unsigned i = 0; i < 4; ++i) right &= message[i] == first + i * 1000 + 1;
    return right;
}

namespace {

struct Server {
    Ref<Endpoint> endpoint;
    std::uint64_t calls;
    bool answers_last;
};

void serve_calls(const Server& server) {
    std::uint64_t(&message)[4] = this_cpu().current->message;
    for (std::uint64_t served = 0;; ++served) {
        const bool last = served == server.calls;
        // The last reply goes out with a wait that is over at once, or brings one call too many, which dies with us.
        if (!server.endpoint->reply_and_wait(hal::now_ns() + (last ? 0 : 150'000)).ok() || last) return;
        if (served + 1 == server.calls && !server.answers_last) return;
        for (std::uint64_t& word : message) ++word;
    }
}

void server_main(void* raw) {
    auto* server = static_cast<Server*>(raw);
    hal::IrqGuard masked;
    serve_calls(*server);
    server->endpoint->handle_removed(abi::right_serve);
    server->~Server();
    heap_free(server, sizeof(Server));
    reaper_expect(*this_cpu().current);
    state().servers.fetch_sub(1, std::memory_order_release);
}

}  // namespace

hal::CpuIndex any_cpu(Random& random) { return hal::CpuIndex(random.below(cpus_running())); }

// One more server, on any CPU, for a few calls.
bool serve(Worker& worker) {
    Random& random = worker.values;
    const std::uint64_t which = random.below(endpoints_count), calls = 1 + random.below(10);
    const bool answers_last = !random.once_in(3);
    const hal::CpuIndex home = any_cpu(random);
    if (state().servers.fetch_add(1, std::memory_order_relaxed) >= servers_limit) {
        state().servers.fetch_sub(1, std::memory_order_relaxed);
        return true;
    }
    void* place = heap_allocate(sizeof(Server));
    if (place == nullptr) return false;
    auto* server = ::new (place) Server{state().endpoints[which], calls, answers_last};
    server->endpoint->handle_added(abi::right_serve);
    return thread_create("server", priority_kernel, server_main, server, {.home = home}).ok();
}

namespace {

constexpr std::uint32_t stream_slots = 4;

// A stream from a worker to a thread of any CPU. Each end leaves after its own number of messages.
struct Stream {
    Ring& ring;
    std::uint64_t first, sent_limit, received_limit;
    std::uint64_t received = 0;
    bool right = true;
};

void wake(Ring& ring, abi::RingEnd sleeper) {
    hal::IrqGuard masked;
    ring.wake(sleeper);
}

// False when the other end is gone.
template <typename End>
bool wait_for_peer(Ring& ring, End& end, abi::RingEnd self) {
    WaitReason reason = WaitReason::woken;
    if (end.prepare_to_wait()) {
        hal::IrqGuard masked;
        reason = ring.wait(self, no_deadline);
    }
    end.done_waiting();
    return reason == WaitReason::woken;
}

void leave(Ring& ring, std::uint32_t right) {
    hal::IrqGuard masked;
    ring.handle_removed(right);
}

void receive_stream(void* raw) {
    auto& stream = *static_cast<Stream*>(raw);
    RingConsumer end(stream.ring.producer_page(), stream.ring.consumer_page(), stream_slots);
    for (bool peer_lives = true; stream.received < stream.received_limit;) {
        const abi::RingSlot* slot = end.front();
        if (slot == nullptr && !peer_lives) break;
        if (slot == nullptr) {
            peer_lives = wait_for_peer(stream.ring, end, abi::RingEnd::consumer);
            continue;
        }
        for (unsigned i = 0; i < 8; ++i) stream.right &= slot->words[i] == stream.first + stream.received * 8 + i;
        end.release();
        ++stream.received;
        if (end.peer_waits()) wake(stream.ring, abi::RingEnd::producer);
    }
    leave(stream.ring, abi::right_consume);
}

std::uint64_t send_stream(Stream& stream, Random& random) {
    RingProducer end(stream.ring.producer_page(), stream.ring.consumer_page(), stream_slots);
    std::uint64_t sent = 0;
    while (sent < stream.sent_limit) {
        abi::RingSlot* slot = end.reserve();
        if (slot == nullptr) {
            if (!wait_for_peer(stream.ring, end, abi::RingEnd::producer)) break;
            continue;
        }
        for (unsigned i = 0; i < 8; ++i) slot->words[i] = stream.first + sent * 8 + i;
        end.publish();
        ++sent;
        if (end.peer_waits()) wake(stream.ring, abi::RingEnd::consumer);
        if (random.once_in(8)) dawdle(random, 200);
    }
    leave(stream.ring, abi::right_produce);
    return sent;
}

}  // namespace

bool stream(Worker& worker) {
    Random& random = worker.values;
    Quota quota{4};
    Completion gone;
    const Result<Ref<Ring>> ring = Ring::create(stream_slots, quota);
    if (!ring.ok()) return false;
    {
        hal::IrqGuard masked;
        (*ring)->handle_added(abi::right_produce | abi::right_consume);
    }
    Stream shared{
        .ring = **ring, .first = random.next(), .sent_limit = random.below(30), .received_limit = random.below(30)};
    const hal::CpuIndex home = any_cpu(random);
    if (!thread_create("receiver", priority_kernel, receive_stream, &shared, {.home = home, .gone = &gone}).ok())
        return false;
    const std::uint64_t sent = send_stream(shared, random);
    gone.wait();
    const std::uint64_t expected =
        shared.sent_limit < shared.received_limit ? shared.sent_limit : shared.received_limit;
    return shared.right && shared.received == expected && sent >= expected;
}

}  // namespace exo::stress
