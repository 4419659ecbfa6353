// SPDX-License-Identifier: MIT
// The two ends of a Fusion Ring (the brief's name for a single-producer, single-consumer ring of inline messages in
// shared memory; layout in abi/ring.hpp). Used as it is by kernel threads, ring-3 programs and benchmarks: no system
// call a message.
//
// Neither end trusts the other. Its own index is private and never read back from shared memory; the peer's index is
// read once, and a distance that no honest peer can produce counts as 'nothing there' (consumer) or 'no room'
// (producer) and is reported by broken(). Slot numbers are masked, so every access stays inside the slots. The payload
// stays writable by the producer while it is read: copy it out before checking it.
//
// Sleeping, wake mode 'fenced': the sleeper sets `waiting` on its own page, issues a full fence, looks at the peer's
// index once more and then blocks in the kernel, which looks again. The other side publishes, issues a full fence and
// reads `waiting`. One of the two fences comes first, so one side sees the other.
#pragma once
#include <abi/ring.hpp>
#include <atomic>
#include <cstdint>

namespace exo {

class RingProducer {
  public:
    RingProducer() = default;
    // `counter` is where both counters of a ring start: 0 for every ring that the kernel makes.
    RingProducer(abi::RingProducerPage* own, const abi::RingConsumerPage* peer, std::uint32_t slots,
                 std::uint32_t counter = 0)
        : own_(own),
          peer_(peer),
          slots_(reinterpret_cast<abi::RingSlot*>(own + 1)),
          mask_(slots - 1),
          tail_(counter),
          seen_head_(counter) {}

    // The slot to build the next message in, or nullptr when the ring is full. Up to `slots` may be reserved before
    // one publish (a batch): `ahead` counts those reserved already.
    abi::RingSlot* reserve(std::uint32_t ahead = 0) {
        if (tail_ + ahead - seen_head_ > mask_) [[unlikely]] {
            seen_head_ = peer_->head.load(std::memory_order_acquire);
            if (tail_ + ahead - seen_head_ > mask_) return nullptr;
        }
        return &slots_[(tail_ + ahead) & mask_];
    }
    // Makes `count` reserved messages visible to the consumer.
    void publish(std::uint32_t count = 1) {
        tail_ += count;
        own_->tail.store(tail_, std::memory_order_release);
    }
    // After publish: does the consumer sleep, so that it must be woken through the kernel? Full fence.
    bool peer_waits() const {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return peer_->waiting.load(std::memory_order_relaxed) != 0;
    }
    // Before blocking: true if there is still no room and it is right to block.
    bool prepare_to_wait() {
        own_->waiting.store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        seen_head_ = peer_->head.load(std::memory_order_acquire);
        if (tail_ - seen_head_ == mask_ + 1) return true;
        done_waiting();
        return false;
    }
    void done_waiting() { own_->waiting.store(0, std::memory_order_relaxed); }
    // The consumer's index is one that no honest consumer writes.
    bool broken() const { return tail_ - peer_->head.load(std::memory_order_relaxed) > mask_ + 1; }

  private:
    abi::RingProducerPage* own_ = nullptr;
    const abi::RingConsumerPage* peer_ = nullptr;
    abi::RingSlot* slots_ = nullptr;
    std::uint32_t mask_ = 0;
    std::uint32_t tail_ = 0;       // private: the shared copy is written, never read
    std::uint32_t seen_head_ = 0;  // the peer's index when last read
};

class RingConsumer {
  public:
    RingConsumer() = default;
    RingConsumer(const abi::RingProducerPage* peer, abi::RingConsumerPage* own, std::uint32_t slots,
                 std::uint32_t counter = 0)
        : peer_(peer),
          own_(own),
          slots_(reinterpret_cast<const abi::RingSlot*>(peer + 1)),
          mask_(slots - 1),
          head_(counter),
          seen_tail_(counter) {}

    // The oldest message, or nullptr when there is none. Stays the producer's until release().
    const abi::RingSlot* front() {
        if (head_ == seen_tail_) [[unlikely]] {
            const std::uint32_t tail = peer_->tail.load(std::memory_order_acquire);
            if (tail - head_ > mask_ + 1) return nullptr;  // hostile: nothing there
            seen_tail_ = tail;
            if (head_ == seen_tail_) return nullptr;
        }
        return &slots_[head_ & mask_];
    }
    // Gives the oldest message's slot back to the producer. Only after front() returned one.
    void release() { own_->head.store(++head_, std::memory_order_release); }
    bool peer_waits() const {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return peer_->waiting.load(std::memory_order_relaxed) != 0;
    }
    bool prepare_to_wait() {
        own_->waiting.store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (front() == nullptr) return true;
        done_waiting();
        return false;
    }
    void done_waiting() { own_->waiting.store(0, std::memory_order_relaxed); }
    bool broken() const { return peer_->tail.load(std::memory_order_relaxed) - head_ > mask_ + 1; }

  private:
    const abi::RingProducerPage* peer_ = nullptr;
    abi::RingConsumerPage* own_ = nullptr;
    const abi::RingSlot* slots_ = nullptr;
    std::uint32_t mask_ = 0;
    std::uint32_t head_ = 0;       // private
    std::uint32_t seen_tail_ = 0;  // checked when read: never more than `slots` ahead of head_
};

}  // namespace exo
