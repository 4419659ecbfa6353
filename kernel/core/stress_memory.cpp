// SPDX-License-Identifier: MIT
// The stress, part two: memory that goes back on another CPU, handles that several use at once, pages that are unmapped
// while others read them, programs that start and end everywhere.
#include <core/cpus.hpp>
#include <core/process.hpp>
#include <core/stress_state.hpp>
#include <hal/user.hpp>
#include <lib/sizes.hpp>
#include <mem/slab.hpp>
#include <user/init.hpp>

namespace exo::stress {

namespace {

std::uint64_t stamp_of(const Parcel& parcel) { return reinterpret_cast<std::uintptr_t>(&parcel) * 31 + parcel.bytes; }

}  // namespace

bool empty_basket(Worker& worker) {
    bool whole = true;
    for (Parcel* parcel = worker.basket.take_all(); parcel != nullptr;) {
        Parcel* next = parcel->next;
        whole &= parcel->stamp == stamp_of(*parcel);
        heap_free(parcel, parcel->bytes);
        parcel = next;
    }
    return whole;
}

// Into somebody's basket, who gives it back to its allocator on his own CPU; and the same with one's own basket.
bool send_parcel(Worker& worker) {
    Random& random = worker.values;
    for (std::uint64_t n = 1 + random.below(12); n != 0; --n) {
        const std::uint64_t bytes = sizeof(Parcel) + random.below(random.once_in(20) ? 9000 : 600);
        auto* parcel = static_cast<Parcel*>(heap_allocate(bytes));
        if (parcel == nullptr) return false;
        parcel->bytes = bytes;
        parcel->stamp = stamp_of(*parcel);
        state().workers[random.below(state().workers_count)].basket.post(*parcel);
    }
    return empty_basket(worker);
}

// Handles wander through a few shared places: whoever takes one out of its place owns it. A handle that was closed is
// never valid again; one that is owned always is.
bool use_handles(Worker& worker) {
    Random& random = worker.values;
    HandleTable& table = state().handles;
    std::atomic<std::uint64_t>& place = state().handle_slots[random.below(handles_count)];
    constexpr std::uint32_t rights = abi::right_call | abi::right_wait | abi::right_duplicate;
    std::uint64_t taken = place.exchange(0, std::memory_order_acq_rel);
    if (taken == 0) {
        const Result<Handle> made = table.insert(*state().endpoints[random.below(endpoints_count)], rights);
        if (!made.ok()) return false;
        taken = std::uint64_t{*made} + 1;
    }
    const auto handle = static_cast<Handle>(taken - 1);
    if (!table.get<Endpoint>(handle, abi::right_call).ok()) return false;
    const Result<Handle> narrower = table.duplicate(handle, abi::right_call);
    if (!narrower.ok() || table.get<Endpoint>(*narrower, abi::right_wait).ok()) return false;
    if (!table.close(*narrower).ok() || table.close(*narrower).ok()) return false;
    if (random.once_in(3)) return table.close(handle).ok() && !table.get<Endpoint>(handle, 0).ok();
    const std::uint64_t displaced = place.exchange(taken, std::memory_order_acq_rel);
    return displaced == 0 || table.close(static_cast<Handle>(displaced - 1)).ok();
}

namespace {

constexpr std::uint64_t slot_stride = 8 * page_bytes, first_slot = 16 * MiB;

hal::VirtAddr address_of(std::uint64_t slot) { return hal::VirtAddr(first_slot + slot * slot_stride); }

std::uint64_t& first_word(const VmObject& object, std::uint64_t page) {
    return *reinterpret_cast<std::uint64_t*>(object.data(page));
}

}  // namespace

// A new object at a slot of the shared space, for a moment. Its frames go back when unmap has returned, and the next
// owner writes into them: a CPU that still reaches them reads what is no generation of this slot.
bool remap(Worker& worker) {
    Random& random = worker.values;
    const std::uint64_t index = random.below(slots_count), pages = 1 + random.below(3), turns = random.below(400);
    RemapSlot& slot = state().slots[index];
    if (slot.taken.exchange(true, std::memory_order_acquire)) return true;
    Quota quota{4};
    {
        const Result<Ref<VmObject>> object = VmObject::make_paged(pages, quota);
        if (!object.ok()) return false;
        const std::uint64_t generation = slot.ended.load() + 1;
        for (std::uint64_t i = 0; i < pages; ++i) first_word(**object, i) = generation;
        slot.begun = generation;
        const hal::Access access = hal::Access::read | hal::Access::user;
        const Result<hal::VirtAddr> at = state().space->map(**object, 0, pages, access, address_of(index));
        if (!at.ok()) return false;
        slot.entered = generation;
        dawdle(random, 1 + turns);
        slot.leaving = generation;
        if (!state().space->unmap(address_of(index)).ok()) return false;
        slot.ended = generation;
        for (std::uint64_t i = 0; i < pages; ++i) first_word(**object, i) = ~std::uint64_t{0};
    }
    slot.taken.store(false, std::memory_order_release);
    return true;
}

namespace {

// One look at a slot from this CPU, the shared space loaded. What it reads was mapped at some time during the look, and
// a fault means that nothing was mapped at some time during it.
bool look(std::uint64_t index) {
    RemapSlot& slot = state().slots[index];
    const std::uint64_t ended = slot.ended, entered = slot.entered;
    std::uint64_t value = 0;
    const bool copied = hal::user_copy_in(&value, address_of(index), sizeof value) == 0;
    const std::uint64_t begun = slot.begun, leaving = slot.leaving;
    if (copied) return value > ended && value <= begun;
    return entered <= ended || leaving >= entered;
}

}  // namespace

bool peek(Worker& worker) {
    Random& random = worker.values;
    const std::uint64_t looks = 1 + random.below(12);
    bool right = true;
    if (!hal::isolation_enforced) return right;  // no CPU walks these tables
    {
        hal::IrqGuard masked;
        borrow_space(*state().space);
    }
    for (std::uint64_t i = 0; i < looks; ++i) right &= look(random.below(slots_count));
    leave_space(*state().space);
    return right;
}

bool run_program(Worker& worker) {
    Random& random = worker.values;
    const std::uint64_t kind = random.below(5);
    std::optional<hal::CpuIndex> home;
    if (random.once_in(2)) home = any_cpu(random);
    std::string_view name = "null_caller";
    std::uint64_t argument = random.below(20);
    if (kind == 0) {
        name = "init";
        argument = user::init_argument(user::InitTask::call_and_reply, 1 + random.below(10));
    } else if (kind == 1) {
        name = "init";
        argument = user::init_argument(user::InitTask::shared_ring, random.below(40));
    } else if (kind == 2) {
        return Process::create(name, {}, argument).ok();  // one that never runs
    }
    const Result<Ref<Process>> process = Process::spawn(name, {}, argument, home);
    if (!process.ok()) return false;
    (*process)->wait_for_end(random.once_in(3) ? hal::now_ns() + random.below(30'000) : no_deadline);
    (*process)->wait_for_end();
    return !(*process)->killed() && (*process)->exit_status() == 0;
}

}  // namespace exo::stress
