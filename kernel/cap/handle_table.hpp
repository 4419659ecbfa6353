// SPDX-License-Identifier: MIT
// A process's capabilities: handle -> (object, rights). A handle carries the slot's generation, so that one that was
// closed stays invalid when its slot is used again. Rights only shrink on the way from one handle to another.
#pragma once
#include <abi/syscall.hpp>
#include <cap/object.hpp>
#include <core/lock.hpp>
#include <hal/types.hpp>
#include <lib/result.hpp>

namespace exo {

using abi::Handle;

class HandleTable {
  public:
    static constexpr std::uint32_t capacity = hal::page_bytes / 16;  // slots: one frame of 16 bytes each

    HandleTable() = default;
    HandleTable(const HandleTable&) = delete;
    ~HandleTable();  // closes all

    Result<> init();  // takes one frame; before any other call
    // Takes a reference of its own. no_memory when the table is full. Handles of a fresh table count up from 0.
    Result<Handle> insert(Object&, std::uint32_t rights);
    // The object, if the handle is valid, of that type (bad_handle) and has all those rights (no_right).
    Result<Ref<Object>> find(Handle, ObjectType, std::uint32_t needed_rights);
    Result<Ref<Object>> find_any(Handle, std::uint32_t needed_rights, std::uint32_t& rights);
    Result<Handle> duplicate(Handle, std::uint32_t rights);
    Result<> close(Handle);
    void close_all();

    template <typename T>
    Result<Ref<T>> get(Handle handle, std::uint32_t needed_rights) {
        Ref<Object> object = EXO_TRY(find(handle, T::object_type, needed_rights));
        return Ref<T>::adopt(static_cast<T&>(*object.release()));
    }

  private:
    struct Slot {
        Object* object;
        std::uint32_t rights;
        std::uint16_t generation;
        std::uint16_t next_free;
    };
    static_assert(sizeof(Slot) == 16);

    Slot* slot_of(Handle);  // null: stale or out of range; lock held

    SpinLock<Rank::capabilities> lock_;
    Slot* slots_ = nullptr;
    std::uint16_t free_ = 0;  // first free slot; capacity: none
};

}  // namespace exo
