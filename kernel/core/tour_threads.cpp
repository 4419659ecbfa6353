// SPDX-License-Identifier: MIT
#include <abi/marks.hpp>
#include <core/tour_threads.hpp>
#include <hal/irq.hpp>
#include <ipc/fusion_ring.hpp>
#include <ipc/ring.hpp>
#include <sched/completion.hpp>
#include <sched/thread.hpp>

namespace exo {

namespace {

constexpr std::uint32_t slots = 8;

// One direction: both ends of a ring in the kernel, which sleep on the ring's own queues.
struct Direction {
    explicit Direction(Ring& shared)
        : ring(shared),
          producer(shared.producer_page(), shared.consumer_page(), slots),
          consumer(shared.producer_page(), shared.consumer_page(), slots) {
        ring.handle_added(abi::right_produce | abi::right_consume);
    }
    ~Direction() { ring.handle_removed(abi::right_produce | abi::right_consume); }

    void send(std::uint64_t value) {
        abi::RingSlot* slot = producer.reserve();
        for (std::uint64_t& word : slot->words) word = value++;
        producer.publish();
        if (!producer.peer_waits()) return;
        hal::IrqGuard masked;
        ring.wake(abi::RingEnd::consumer);
    }
    // The message's first word; ~0 if the others do not follow from it.
    std::uint64_t receive() {
        const abi::RingSlot* slot = consumer.front();
        while (slot == nullptr) {
            if (consumer.prepare_to_wait()) {
                hal::IrqGuard masked;
                ring.wait(abi::RingEnd::consumer, no_deadline);
            }
            consumer.done_waiting();
            slot = consumer.front();
        }
        const std::uint64_t value = slot->words[0];
        bool right = true;
        for (unsigned i = 1; i < 8; ++i) right &= slot->words[i] == value + i;
        consumer.release();
        return right ? value : ~std::uint64_t{0};
    }

    Ring& ring;
    RingProducer producer;
    RingConsumer consumer;
};

struct PingPong {
    Direction ping, pong;
    std::uint64_t rounds;
    Completion gone{};
};

void answer(void* shared) {
    auto& game = *static_cast<PingPong*>(shared);
    for (std::uint64_t i = 0; i < game.rounds; ++i) game.pong.send(game.ping.receive() + 1);
}

}  // namespace

std::uint64_t tour_ping_pong(std::uint64_t rounds, std::optional<hal::CpuIndex> other) {
    Quota quota{16};
    const Result<Ref<Ring>> there = Ring::create(slots, quota), back = Ring::create(slots, quota);
    if (!there.ok() || !back.ok()) return 0;
    PingPong game{.ping = Direction(**there), .pong = Direction(**back), .rounds = rounds};
    if (!thread_create("pong", priority_kernel, answer, &game, {.home = other, .gone = &game.gone}).ok()) return 0;
    std::uint64_t right = 0;
    for (std::uint64_t i = 0; i < rounds && other; ++i) {
        EXO_MARK_BEGIN(kernel.cross_ring_round_trip);
        game.ping.send(i);
        const bool good = game.pong.receive() == i + 1;
        EXO_MARK_END(kernel.cross_ring_round_trip);
        right += good;
    }
    for (std::uint64_t i = 0; i < rounds && !other; ++i) {
        EXO_MARK_BEGIN(kernel.ring_round_trip);
        game.ping.send(i);
        const bool good = game.pong.receive() == i + 1;
        EXO_MARK_END(kernel.ring_round_trip);
        right += good;
    }
    game.gone.wait();
    return right;
}

}  // namespace exo
