// SPDX-License-Identifier: MIT
// The kernel's side of a Fusion Ring: the pages both ends share, who may map which end, and where they sleep. No
// message ever passes through here (ipc/fusion_ring.hpp is what the two ends run).
#pragma once
#include <abi/ring.hpp>
#include <cap/object.hpp>
#include <lib/result.hpp>
#include <mem/address_space.hpp>
#include <mem/vm_object.hpp>
#include <sched/wait_queue.hpp>

namespace exo {

class Ring : public Object {
  public:
    static constexpr ObjectType object_type = ObjectType::ring;

    // `slots`: a power of two up to ring_slots_limit, else bad_argument. The pages are zeroed, contiguous and charged
    // to the quota until the last reference goes.
    static Result<Ref<Ring>> create(std::uint64_t slots, Quota&);
    explicit Ring(Ref<VmObject> pages, std::uint32_t slots)
        : Object(object_type), pages_(std::move(pages)), slots_(slots) {}
    static void destroy(Ring&);

    // Maps one end into a space: its own pages writable, the other's read-only. Each end can be mapped once (busy).
    Result<abi::RingMapping> map(AddressSpace&, abi::RingEnd);
    // For kernel threads: both ends through the direct map.
    abi::RingProducerPage* producer_page() const;
    abi::RingConsumerPage* consumer_page() const;
    std::uint32_t slots() const { return slots_; }

    // Sleeps until the other end calls wake, unless there is something to do already. Interrupts masked.
    WaitReason wait(abi::RingEnd sleeper, std::uint64_t deadline_ns);
    unsigned wake(abi::RingEnd sleeper);

    void handles_changed(std::uint32_t rights, int by);  // by = +1, -1

  private:
    std::uint32_t producer_pages() const;
    Result<abi::RingMapping> map_end(AddressSpace&, abi::RingEnd);
    bool ready(abi::RingEnd) const;
    std::atomic<std::uint32_t>& waiting_flag(abi::RingEnd) const;  // whoever sleeps in the kernel has it set

    Ref<VmObject> pages_;  // producer's control page, slots, consumer's control page
    std::uint32_t slots_;
    std::atomic<bool> mapped_[2] = {};
    std::atomic<std::uint32_t> holders_[2] = {};  // handles that could still act for that end
    WaitQueue sleepers_[2];
};

}  // namespace exo
