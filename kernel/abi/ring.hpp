// SPDX-License-Identifier: MIT
// Memory layout of a Fusion Ring: a single-producer, single-consumer queue of 64-byte inline messages in pages
// shared by two parties that do not trust each other.
//
// Two groups of pages. The producer's group (one control page, then the slots) is written by the producer and
// read-only to the consumer; the consumer's group (one control page) is the other way round. `tail` and `head` are
// free-running 32-bit counters: slot = counter & (slots - 1), full when tail - head == slots. Each side keeps private
// copies of its own counter and masks what it reads from the other, so a hostile peer can hand over wrong payload
// but can make neither side touch memory outside the slots.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace exo::abi {

inline constexpr std::uint32_t ring_slot_bytes = 64;
inline constexpr std::uint32_t ring_slots_limit =
    1024;  // 64 KiB of slots: the largest block a ring asks for is 128 KiB

struct alignas(64) RingSlot {
    std::uint64_t words[8];
};
static_assert(sizeof(RingSlot) == ring_slot_bytes);

struct alignas(4096) RingProducerPage {
    alignas(64) std::atomic<std::uint32_t> tail;     // messages published, ever
    alignas(64) std::atomic<std::uint32_t> waiting;  // 1: the producer sleeps until there is room
};
static_assert(sizeof(RingProducerPage) == 4096);

struct alignas(4096) RingConsumerPage {
    alignas(64) std::atomic<std::uint32_t> head;     // messages taken, ever
    alignas(64) std::atomic<std::uint32_t> waiting;  // 1: the consumer sleeps until there is a message
};
static_assert(sizeof(RingConsumerPage) == 4096);

enum class RingEnd : std::uint64_t { producer = 0, consumer = 1 };

// What ring_map tells its caller: addresses in the caller's own address space.
struct RingMapping {
    std::uint64_t producer_page;  // RingProducerPage; the slots follow it directly
    std::uint64_t consumer_page;  // RingConsumerPage
    std::uint32_t slots;          // power of two
    std::uint32_t reserved;
};

}  // namespace exo::abi
