// SPDX-License-Identifier: MIT
// The Fusion Ring beside a deque, for every size and across the wrap-around of its counters; and against a peer that
// writes anything anywhere it can.
#include <cstring>
#include <deque>
#include <ipc/ring.hpp>
#include <random>
#include <user/runtime.hpp>

#include "booted_kernel.hpp"

namespace exo {
namespace {

// The shared pages, exactly as large as they must be: a sanitizer sees every access outside.
struct SharedPages {
    explicit SharedPages(std::uint32_t slot_count, std::uint32_t counter = 0)
        : slots(slot_count),
          memory(static_cast<std::byte*>(::operator new (
              sizeof(abi::RingProducerPage) + slot_count * sizeof(abi::RingSlot), std::align_val_t{4096}))),
          producer_page(::new (memory) abi::RingProducerPage{}) {
        producer_page->tail = counter;
        consumer_page.head = counter;
        std::memset(static_cast<void*>(producer_page + 1), 0, slots * sizeof(abi::RingSlot));
    }
    ~SharedPages() { ::operator delete (memory, std::align_val_t{4096}); }
    SharedPages(const SharedPages&) = delete;

    std::uint32_t slots;
    std::byte* memory;
    abi::RingProducerPage* producer_page;
    abi::RingConsumerPage consumer_page{};
};

void fill(abi::RingSlot& slot, std::uint64_t value) {
    for (std::uint64_t& word : slot.words) word = value++;
}
bool holds(const abi::RingSlot& slot, std::uint64_t value) {
    for (const std::uint64_t word : slot.words)
        if (word != value++) return false;
    return true;
}

void compare_with_deque(std::uint32_t slots, std::uint32_t counter, int steps) {
    SharedPages shared(slots, counter);
    RingProducer producer(shared.producer_page, &shared.consumer_page, slots, counter);
    RingConsumer consumer(shared.producer_page, &shared.consumer_page, slots, counter);
    std::mt19937 random(slots + counter);
    std::deque<std::uint64_t> model;
    std::uint64_t next = 0;
    for (int step = 0; step < steps; ++step) {
        const bool drain = step / (3 * static_cast<int>(slots)) % 2 == 1;  // full and empty are both reached
        if (random() % 4 < (drain ? 1u : 3u)) {                            // a batch, published at once
            const std::uint32_t wanted = 1 + random() % (random() % 8 == 0 ? slots + 1 : 3);
            std::uint32_t count = 0;
            for (; count < wanted; ++count) {
                abi::RingSlot* slot = producer.reserve(count);
                ASSERT_EQ(slot != nullptr, model.size() + count < slots);
                if (slot == nullptr) break;
                fill(*slot, next + count);
            }
            const abi::RingSlot* before = consumer.front();
            ASSERT_EQ(before != nullptr, !model.empty()) << "nothing is seen before it is published";
            if (count != 0) producer.publish(count);
            for (; count != 0; --count) model.push_back(next++);
        } else {
            const abi::RingSlot* slot = consumer.front();
            ASSERT_EQ(slot != nullptr, !model.empty());
            ASSERT_EQ(consumer.front(), slot) << "looking changes nothing";
            if (slot != nullptr) {
                ASSERT_TRUE(holds(*slot, model.front()));
                consumer.release();
                model.pop_front();
            }
        }
        ASSERT_FALSE(producer.broken() || consumer.broken());
        ASSERT_FALSE(producer.peer_waits() || consumer.peer_waits());
        if (random() % 4 != 0) continue;
        const bool full = model.size() == slots;
        ASSERT_EQ(producer.prepare_to_wait(), full);
        ASSERT_EQ(consumer.peer_waits(), full);
        producer.done_waiting();
        ASSERT_EQ(consumer.prepare_to_wait(), model.empty());
        ASSERT_EQ(producer.peer_waits(), model.empty());
        consumer.done_waiting();
    }
}

TEST(FusionRing, MatchesADequeForEverySizeAndAcrossTheWrapAround) {
    for (std::uint32_t slots = 1; slots <= abi::ring_slots_limit; slots *= 2)
        for (const std::uint32_t counter : {0u, ~0u, ~0u - slots, ~0u - 3 * slots / 2, 0x8000'0000u - slots})
            ASSERT_NO_FATAL_FAILURE(compare_with_deque(slots, counter, 3000 + 20 * static_cast<int>(slots)))
                << slots << " slots from " << counter;
}

std::uint32_t lie(std::mt19937_64& random, std::uint32_t truth) {
    switch (random() % 4) {
        case 0:
            return truth;
        case 1:
            return truth + static_cast<std::uint32_t>(random() % 5) - 2;
        case 2:
            return ~truth;
        default:
            return static_cast<std::uint32_t>(random());
    }
}

TEST(FusionRing, AHostileConsumerCannotLeadTheProducerOutOfItsSlots) {
    std::mt19937_64 random(13);
    for (const std::uint32_t slots : {1u, 8u, 1024u}) {
        SharedPages shared(slots);
        RingProducer producer(shared.producer_page, &shared.consumer_page, slots);
        const auto* first = reinterpret_cast<const abi::RingSlot*>(shared.producer_page + 1);
        unsigned told = 0;
        for (int step = 0; step < 340'000; ++step) {
            shared.consumer_page.head = lie(random, shared.producer_page->tail);
            shared.consumer_page.waiting = static_cast<std::uint32_t>(random());
            const std::uint32_t distance = shared.producer_page->tail - shared.consumer_page.head;
            ASSERT_EQ(producer.broken(), distance > slots);
            told += producer.broken();
            if (abi::RingSlot* slot = producer.reserve(static_cast<std::uint32_t>(random() % 3))) {
                ASSERT_GE(slot, first);
                ASSERT_LT(slot, first + slots);
                fill(*slot, random());
                producer.publish();
            }
            if (random() % 2 == 0) {
                ASSERT_EQ(producer.prepare_to_wait(), shared.producer_page->tail - shared.consumer_page.head == slots);
            }
            (void)producer.peer_waits();
        }
        EXPECT_GT(told, 1000u);
    }
}

TEST(FusionRing, AHostileProducerCannotLeadTheConsumerOutOfTheSlots) {
    std::mt19937_64 random(14);
    for (const std::uint32_t slots : {1u, 8u, 1024u}) {
        SharedPages shared(slots);
        RingConsumer consumer(shared.producer_page, &shared.consumer_page, slots);
        auto* first = reinterpret_cast<abi::RingSlot*>(shared.producer_page + 1);
        unsigned told = 0;
        for (int step = 0; step < 340'000; ++step) {
            shared.producer_page->tail = lie(random, shared.consumer_page.head);
            shared.producer_page->waiting = static_cast<std::uint32_t>(random());
            fill(first[random() % slots], random());
            ASSERT_EQ(consumer.broken(), shared.producer_page->tail - shared.consumer_page.head > slots);
            told += consumer.broken();
            if (const abi::RingSlot* slot = consumer.front()) {
                ASSERT_GE(slot, first);
                ASSERT_LT(slot, first + slots);
                consumer.release();
            }
            if (random() % 2 == 0) (void)consumer.prepare_to_wait();
            (void)consumer.peer_waits();
        }
        EXPECT_GT(told, 1000u);
    }
}

// The blocking ends that programs use. The peer is a kernel thread, less urgent than the program, that changes both
// pages whenever the program sleeps, and now and then wakes it for nothing.
class BlockingRing : public test::KernelTest {};

Ring* shared_ring = nullptr;
bool program_ended = false;
std::mt19937_64 hostile_random;

void corrupt(bool producer_side) {
    if (producer_side) {
        shared_ring->producer_page()->tail = lie(hostile_random, shared_ring->consumer_page()->head);
        shared_ring->producer_page()->waiting = static_cast<std::uint32_t>(hostile_random());
    } else {
        shared_ring->consumer_page()->head = lie(hostile_random, shared_ring->producer_page()->tail);
        shared_ring->consumer_page()->waiting = static_cast<std::uint32_t>(hostile_random());
    }
}

constexpr int hostile_rounds = 100'000;

void receive_from_liar(std::uint64_t) {
    user::Receiver receiver;
    if (receiver.open(0) != 0) user::exit(1);
    for (int i = 0; i < hostile_rounds; ++i) {
        corrupt(true);
        if (receiver.front() != nullptr) receiver.release();
    }
    program_ended = true;
}
void send_to_liar(std::uint64_t) {
    user::Sender sender;
    if (sender.open(0) != 0) user::exit(1);
    for (int i = 0; i < hostile_rounds; ++i) {
        corrupt(false);
        if (abi::RingSlot* slot = sender.reserve()) {
            fill(*slot, hostile_random());
            sender.publish();
        }
    }
    program_ended = true;
}

TEST_F(BlockingRing, EndsInAnErrorNotInALoopWhenThePeerLies) {
    for (const bool producer_lies : {true, false}) {
        in_kernel([=] {
            static constexpr hal::LinkedProgram programs[] = {{"receive", receive_from_liar}, {"send", send_to_liar}};
            test::use_programs(programs);
            hostile_random.seed(15);
            program_ended = false;
            Ref<Quota> quota = *Quota::make(100);  // lives as long as the ring's pages
            Ref<Ring> ring = *Ring::create(4, *quota);
            shared_ring = ring.get();
            const std::uint32_t peer = producer_lies ? abi::right_produce : abi::right_consume;
            ring->handle_added(peer);
            const Grant grant{ring.get(), producer_lies ? abi::right_consume : abi::right_produce};
            const std::function<void()> liar = [&] {
                while (!program_ended) {
                    corrupt(producer_lies);
                    hal::IrqGuard masked;
                    ring->wake(producer_lies ? abi::RingEnd::consumer : abi::RingEnd::producer);
                    yield();
                }
            };
            ASSERT_TRUE(start(1, liar).ok());
            Ref<Process> process = *Process::spawn(producer_lies ? "receive" : "send", std::span(&grant, 1), 0);
            wait_for_end(*process);
            EXPECT_TRUE(program_ended);
            EXPECT_EQ(process->exit_status(), 0);
            ring->handle_removed(peer);
            let_everyone_run();  // the liar must see it, too
        });
    }
}

// The producer saw the consumer wait, was preempted, and calls wake() only when the consumer, which found that message
// by itself, is about to sleep for the next one.
TEST_F(BlockingRing, ALateWakeUpDoesNotHideWhoSleepsNext) {
    in_kernel([] {
        for (const abi::RingEnd end : {abi::RingEnd::consumer, abi::RingEnd::producer}) {
            Ref<Quota> quota = *Quota::make(100);  // lives as long as the ring's pages
            Ref<Ring> ring = *Ring::create(1, *quota);
            ring->handle_added(abi::right_produce | abi::right_consume);
            RingProducer producer(ring->producer_page(), ring->consumer_page(), 1);
            RingConsumer consumer(ring->producer_page(), ring->consumer_page(), 1);
            const bool consumes = end == abi::RingEnd::consumer;
            WaitReason reason = WaitReason::timeout;
            const std::function<void()> sleeper = [&] {
                if (!consumes) producer.publish();  // full
                EXPECT_TRUE(consumes ? consumer.prepare_to_wait() : producer.prepare_to_wait());
                hal::IrqGuard masked;
                EXPECT_EQ(ring->wake(end), 0u) << "it does not sleep yet";
                reason = ring->wait(end, no_deadline);
            };
            ASSERT_TRUE(start(priority_kernel, sleeper).ok());
            let_others_run();
            if (consumes) producer.publish();
            else if (consumer.front() != nullptr) consumer.release();
            EXPECT_TRUE(consumes ? producer.peer_waits() : consumer.peer_waits());
            hal::IrqGuard masked;
            EXPECT_EQ(ring->wake(end), 1u);
            EXPECT_FALSE(consumes ? producer.peer_waits() : consumer.peer_waits()) << "one call is enough";
            yield();
            EXPECT_EQ(reason, WaitReason::woken);
            ring->handle_removed(abi::right_produce | abi::right_consume);
        }
    });
}

void receive_one(std::uint64_t) {
    user::Receiver receiver;
    if (receiver.open(0) != 0) user::exit(1);
    const abi::RingSlot* slot = receiver.front();
    if (slot == nullptr || !holds(*slot, 77)) user::exit(2);
    receiver.release();
    user::exit(receiver.front() == nullptr ? 0 : 3);
}

TEST_F(BlockingRing, TheLastMessageOfAProducerThatDiedIsReceived) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"receive", receive_one}};
        test::use_programs(programs);
        Ref<Quota> quota = *Quota::make(100);  // lives as long as the ring's pages
        Ref<Ring> ring = *Ring::create(4, *quota);
        ring->handle_added(abi::right_produce);
        const Grant grant{ring.get(), abi::right_consume};
        Ref<Process> process = *Process::spawn("receive", std::span(&grant, 1), 0);
        let_everyone_run();  // it sleeps
        {
            hal::IrqGuard masked;
            RingProducer producer(ring->producer_page(), ring->consumer_page(), 4);
            fill(*producer.reserve(), 77);
            producer.publish();
            EXPECT_TRUE(producer.peer_waits());
            ring->handle_removed(abi::right_produce);  // killed before it could wake the consumer
        }
        wait_for_end(*process);
        EXPECT_EQ(process->exit_status(), 0);
    });
}

}  // namespace
}  // namespace exo
