// SPDX-License-Identifier: MIT
// Kernel objects: what handles name. Counted by references; and, by right, by the handles that exist, so that an object
// knows when its last server or its last ring peer is gone.
#pragma once
#include <abi/syscall.hpp>
#include <lib/refcount.hpp>

namespace exo {

enum class ObjectType : std::uint8_t { process, ring, endpoint };

class Object {
  public:
    ObjectType type() const { return type_; }
    void ref() { references_.increment(); }
    void unref() {
        if (references_.decrement()) destroy(*this);
    }
    // A handle with these rights has come into being (takes no lock) or has gone (wakes who waits for its like; no lock
    // held). Interrupts masked.
    void handle_added(std::uint32_t rights);
    void handle_removed(std::uint32_t rights);

  protected:
    explicit constexpr Object(ObjectType type) : type_(type) {}
    ~Object() = default;

  private:
    static void destroy(Object&);  // by type; frees memory
    RefCount references_;
    const ObjectType type_;
};

}  // namespace exo
