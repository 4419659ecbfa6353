// SPDX-License-Identifier: MIT
// 64-byte messages through a Fusion Ring: within one thread, and as request and reply between two kernel threads that
// sleep and are woken through the scheduler.
#include <hal/irq.hpp>
#include <ipc/fusion_ring.hpp>
#include <ipc/ring.hpp>
#include <sched/completion.hpp>
#include <sched/scheduler.hpp>
#include <sched/thread.hpp>
#include <stdexcept>

#include "cases.hpp"
#include "linux_channel.hpp"

namespace bench {
namespace {

constexpr std::uint32_t slots = 64;

exo::Ref<exo::Ring> make_ring(exo::Quota& quota) {
    exo::Result<exo::Ref<exo::Ring>> ring = exo::Ring::create(slots, quota);
    if (!ring.ok()) throw std::runtime_error("no memory for a ring");
    return std::move(*ring);
}

// Both ends of one ring; the sender wakes a receiver that sleeps.
class Direction {
  public:
    explicit Direction(exo::Ring& ring)
        : ring_(ring),
          producer_(ring.producer_page(), ring.consumer_page(), slots),
          consumer_(ring.producer_page(), ring.consumer_page(), slots) {
        ring_.handle_added(exo::abi::right_produce | exo::abi::right_consume);
    }
    ~Direction() { ring_.handle_removed(exo::abi::right_produce | exo::abi::right_consume); }
    Direction(const Direction&) = delete;
    Direction& operator=(const Direction&) = delete;

    // Built in its slot: copying it there would stall on store forwarding.
    void send(std::uint64_t first) {
        exo::abi::RingSlot* slot = producer_.reserve();
        for (std::uint64_t& word : slot->words) word = first++;
        producer_.publish();
    }
    void wake_receiver() {
        if (!producer_.peer_waits()) return;
        hal::IrqGuard masked;
        ring_.wake(exo::abi::RingEnd::consumer);
    }
    // The sum of the oldest message's words; there must be one.
    std::uint64_t receive() {
        const exo::abi::RingSlot* slot = consumer_.front();
        std::uint64_t total = 0;
        for (const std::uint64_t word : slot->words) total += word;
        consumer_.release();
        return total;
    }
    // Sleeps until there is a message, and returns its first word without taking it.
    std::uint64_t wait() {
        const exo::abi::RingSlot* slot;
        while ((slot = consumer_.front()) == nullptr) {
            if (consumer_.prepare_to_wait()) {
                hal::IrqGuard masked;
                ring_.wait(exo::abi::RingEnd::consumer, exo::no_deadline);
            }
            consumer_.done_waiting();
        }
        return slot->words[0];
    }

  private:
    exo::Ring& ring_;
    exo::RingProducer producer_;
    exo::RingConsumer consumer_;
};

constexpr std::uint64_t last_request = ~std::uint64_t{0} - 16;

// The other kernel thread: answers each request with its words one higher, until last_request.
struct Server {
    Direction &requests, &replies;
    exo::Completion end{};

    static void main(void* raw) {
        auto& self = *static_cast<Server*>(raw);
        for (;;) {
            const std::uint64_t first = self.requests.wait();
            self.requests.receive();
            if (first == last_request) break;
            self.replies.send(first + 1);
            self.replies.wake_receiver();
        }
        hal::IrqGuard masked;
        self.end.signal();
    }
    void join() {
        requests.send(last_request);
        requests.wake_receiver();
        end.wait();
    }
};

std::uint64_t request_and_reply(Direction& requests, Direction& replies, std::uint64_t rounds) {
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < rounds; ++i) {
        requests.send(i);
        requests.wake_receiver();
        replies.wait();
        total += replies.receive();
    }
    return total;
}

std::uint64_t through(Channel& channel, std::uint64_t messages) {
    std::uint64_t total = 0;
    Message m;
    for (std::uint64_t i = 0; i < messages; ++i)
        if (channel.send(message_of(i)) && channel.receive(m)) total += sum(m);
    return total;
}

}  // namespace

RowResult ring_same_thread(const Effort& effort) {
    exo::Quota quota{64};
    const exo::Ref<exo::Ring> ring = make_ring(quota);
    Direction direction(*ring);
    Channel pipe(Kind::pipe), socket(Kind::unix_socket);
    const auto exo_body = [&](std::uint64_t messages) {
        std::uint64_t total = 0;
        for (std::uint64_t i = 0; i < messages; ++i) {
            direction.send(i);
            total += direction.receive();
        }
        return total;
    };
    return measure(
        {"ipc_inline_64", "64 B send and receive through a ring, user-level threads", "one address space",
         "same thread", "every byte written and read; nobody sleeps; no ring crossing, which the peers have twice"},
        {{"exo", 20'000, exo_body, sum_of_messages},
         {"unix socket pair", 500, [&](std::uint64_t n) { return through(socket, n); }, sum_of_messages},
         {"pipe", 500, [&](std::uint64_t n) { return through(pipe, n); }, sum_of_messages}},
        effort);
}

RowResult ring_two_threads(const Effort& effort) {
    exo::Quota quota{64};
    const exo::Ref<exo::Ring> there = make_ring(quota), back = make_ring(quota);
    Direction requests(*there), replies(*back);
    Server server{requests, replies};
    if (!exo::thread_create("server", exo::priority_kernel, &Server::main, &server).ok())
        throw std::runtime_error("no memory for a thread");
    Echo pipe(Kind::pipe), socket(Kind::unix_socket);
    const auto expected = [](std::uint64_t rounds) { return sum_of_messages(rounds) + 8 * rounds; };
    RowResult result = measure(
        {"ipc_inline_64_round_trip", "64 B request and reply between two threads, user-level threads",
         "one address space", "one core, two threads",
         "each side sleeps on its ring and is woken through the scheduler; the peers are two Linux threads on one CPU"},
        {{"exo", 5'000, [&](std::uint64_t n) { return request_and_reply(requests, replies, n); }, expected},
         {"unix socket pairs", 100, [&](std::uint64_t n) { return socket.run(n); }, expected},
         {"pipes", 100, [&](std::uint64_t n) { return pipe.run(n); }, expected}},
        effort);
    server.join();
    return result;
}

}  // namespace bench
