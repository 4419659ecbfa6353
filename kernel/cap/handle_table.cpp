// SPDX-License-Identifier: MIT
#include <cap/handle_table.hpp>
#include <hal/mmu.hpp>
#include <mem/frames.hpp>

namespace exo {

namespace {
constexpr std::uint32_t index_bits = 16;
constexpr Handle handle_of(std::uint32_t index, std::uint16_t generation) {
    return index | (std::uint32_t{generation} << index_bits);
}
constexpr std::uint16_t last_generation = 0x7fff;  // a slot that reached it is not used again: no handle ever returns
}  // namespace

Result<> HandleTable::init() {
    const hal::PhysAddr frame = EXO_TRY(frames_allocate(0));
    slots_ = reinterpret_cast<Slot*>(hal::phys_to_virt(frame));
    for (std::uint32_t i = 0; i < capacity; ++i) slots_[i] = Slot{nullptr, 0, 0, static_cast<std::uint16_t>(i + 1)};
    free_ = 0;
    return {};
}

HandleTable::~HandleTable() {
    if (slots_ == nullptr) return;
    close_all();
    frames_free(hal::virt_to_phys(slots_), 0);
}

HandleTable::Slot* HandleTable::slot_of(Handle handle) {
    const std::uint32_t index = handle & ((1u << index_bits) - 1);
    if (slots_ == nullptr || index >= capacity) return nullptr;
    Slot& slot = slots_[index];
    return slot.object != nullptr && slot.generation == handle >> index_bits ? &slot : nullptr;
}

Result<Handle> HandleTable::insert(Object& object, std::uint32_t rights) {
    ScopedLock guard(lock_);
    if (free_ == capacity) return Error::no_memory;
    const std::uint32_t index = free_;
    Slot& slot = slots_[index];
    free_ = slot.next_free;
    object.ref();
    object.handle_added(rights);  // counted before anybody can close it
    slot.object = &object;
    slot.rights = rights;
    return handle_of(index, slot.generation);
}

Result<Ref<Object>> HandleTable::find_any(Handle handle, std::uint32_t needed_rights, std::uint32_t& rights) {
    ScopedLock guard(lock_);
    Slot* slot = slot_of(handle);
    if (slot == nullptr) return Error::bad_handle;
    if ((slot->rights & needed_rights) != needed_rights) return Error::no_right;
    rights = slot->rights;
    return Ref<Object>(*slot->object);
}

Result<Ref<Object>> HandleTable::find(Handle handle, ObjectType type, std::uint32_t needed_rights) {
    std::uint32_t rights = 0;
    Ref<Object> object = EXO_TRY(find_any(handle, 0, rights));
    if (object->type() != type) return Error::bad_handle;
    if ((rights & needed_rights) != needed_rights) return Error::no_right;
    return object;
}

Result<Handle> HandleTable::duplicate(Handle handle, std::uint32_t rights) {
    std::uint32_t held = 0;
    Ref<Object> object = EXO_TRY(find_any(handle, abi::right_duplicate, held));
    if ((rights & ~held) != 0) return Error::no_right;
    return insert(*object, rights);
}

Result<> HandleTable::close(Handle handle) {
    hal::IrqGuard masked;
    Object* object = nullptr;
    std::uint32_t rights = 0;
    {
        ScopedLock guard(lock_);
        Slot* slot = slot_of(handle);
        if (slot == nullptr) return Error::bad_handle;
        object = slot->object;
        rights = slot->rights;
        slot->object = nullptr;
        if (slot->generation != last_generation) {
            ++slot->generation;
            slot->next_free = free_;
            free_ = static_cast<std::uint16_t>(slot - slots_);
        }
    }
    object->handle_removed(rights);
    object->unref();
    return {};
}

void HandleTable::close_all() {
    if (slots_ == nullptr) return;
    for (std::uint32_t next = 0;;) {
        Handle handle;
        {
            ScopedLock guard(lock_);
            while (next < capacity && slots_[next].object == nullptr) ++next;
            if (next == capacity) return;
            handle = handle_of(next, slots_[next].generation);
        }
        (void)close(handle).ok();
    }
}

}  // namespace exo
