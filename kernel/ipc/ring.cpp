// SPDX-License-Identifier: MIT
#include <hal/irq.hpp>
#include <ipc/ring.hpp>
#include <lib/bits.hpp>
#include <lib/sizes.hpp>
#include <mem/slab.hpp>

namespace exo {

namespace {

constinit ObjectCache<Ring> ring_cache{"ring"};

constexpr unsigned index_of(abi::RingEnd end) { return static_cast<unsigned>(end); }
constexpr abi::RingEnd other(abi::RingEnd end) {
    return end == abi::RingEnd::producer ? abi::RingEnd::consumer : abi::RingEnd::producer;
}
constexpr std::uint32_t pages_of_slots(std::uint32_t slots) {
    return static_cast<std::uint32_t>(pages_for(std::uint64_t{slots} * abi::ring_slot_bytes));
}

}  // namespace

Result<Ref<Ring>> Ring::create(std::uint64_t slots, Quota& quota) {
    if (slots == 0 || slots > abi::ring_slots_limit || !is_power_of_two(slots)) return Error::bad_argument;
    const auto count = static_cast<std::uint32_t>(slots);
    Ref<VmObject> pages = EXO_TRY(VmObject::make_contiguous(2 + pages_of_slots(count), quota));
    return Ref<Ring>::adopt(*EXO_TRY(ring_cache.make(std::move(pages), count)));
}

void Ring::destroy(Ring& ring) { ring_cache.destroy(ring); }

std::uint32_t Ring::producer_pages() const { return 1 + pages_of_slots(slots_); }

abi::RingProducerPage* Ring::producer_page() const {
    return reinterpret_cast<abi::RingProducerPage*>(hal::phys_to_virt(pages_->page(0)));
}
abi::RingConsumerPage* Ring::consumer_page() const {
    return reinterpret_cast<abi::RingConsumerPage*>(hal::phys_to_virt(pages_->page(producer_pages())));
}

Result<abi::RingMapping> Ring::map(AddressSpace& space, abi::RingEnd end) {
    std::atomic<bool>& taken = mapped_[index_of(end)];
    if (taken.exchange(true, std::memory_order_relaxed)) return Error::busy;
    Result<abi::RingMapping> mapping = map_end(space, end);
    if (!mapping.ok()) taken.store(false, std::memory_order_relaxed);
    return mapping;
}

Result<abi::RingMapping> Ring::map_end(AddressSpace& space, abi::RingEnd end) {
    const hal::Access own = hal::Access::read | hal::Access::write | hal::Access::user;
    const hal::Access peer = hal::Access::read | hal::Access::user;
    const bool produces = end == abi::RingEnd::producer;
    const hal::VirtAddr producer = EXO_TRY(space.map(*pages_, 0, producer_pages(), produces ? own : peer));
    Result<hal::VirtAddr> consumer = space.map(*pages_, producer_pages(), 1, produces ? peer : own);
    if (!consumer.ok()) {
        EXO_ASSERT(space.unmap(producer).ok());
        return consumer.error();
    }
    return abi::RingMapping{producer.value(), consumer->value(), slots_, 0};
}

// The kernel reads what the two ends claim. A lie costs the liar a needless or a missed wake-up, nothing else.
bool Ring::ready(abi::RingEnd end) const {
    const std::uint32_t used =
        producer_page()->tail.load(std::memory_order_acquire) - consumer_page()->head.load(std::memory_order_acquire);
    return end == abi::RingEnd::consumer ? used != 0 : used < slots_;
}

std::atomic<std::uint32_t>& Ring::waiting_flag(abi::RingEnd end) const {
    return end == abi::RingEnd::consumer ? consumer_page()->waiting : producer_page()->waiting;
}

WaitReason Ring::wait(abi::RingEnd sleeper, std::uint64_t deadline_ns) {
    wait_begin({&sleepers_[index_of(sleeper)]}, deadline_ns);
    // Again, as the sleeper did: a late wake() for an earlier message may have cleared it since.
    waiting_flag(sleeper).store(1, std::memory_order_relaxed);
    // On the queue first, then the look: a wake-up between the two finds us. Gone peers publish nothing more.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (ready(sleeper)) {
        wait_cancel();
        return WaitReason::woken;
    }
    // As with the index: the last holder leaves first and wakes then.
    if (holders_[index_of(other(sleeper))].load(std::memory_order_relaxed) == 0) {
        wait_cancel();
        return WaitReason::dead;
    }
    return wait_commit();
}

// The sleeper's flag is cleared for it: until it runs again, its peer need not call for every further message.
unsigned Ring::wake(abi::RingEnd sleeper) {
    waiting_flag(sleeper).store(0, std::memory_order_relaxed);
    return wake_all(sleepers_[index_of(sleeper)]);
}

void Ring::handles_changed(std::uint32_t rights, int by) {
    const auto change = [&](std::uint32_t right, abi::RingEnd end) {
        if ((rights & right) == 0) return;
        const auto by_unsigned = static_cast<std::uint32_t>(by);
        const std::uint32_t before = holders_[index_of(end)].fetch_add(by_unsigned, std::memory_order_relaxed);
        if (before + by_unsigned == 0) wake_all(sleepers_[index_of(other(end))], WaitReason::dead);
    };
    change(abi::right_produce, abi::RingEnd::producer);
    change(abi::right_consume, abi::RingEnd::consumer);
}

}  // namespace exo
