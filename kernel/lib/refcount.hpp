// SPDX-License-Identifier: MIT
// Intrusive reference counts. RefCount is the counter an object carries; Ref<T> holds one reference. T provides
// `void ref()` and `void unref()`; the last unref() ends the object. Any CPU, any context that may free memory.
#pragma once
#include <atomic>
#include <core/assert.hpp>
#include <cstdint>
#include <utility>

namespace exo {

class RefCount {
  public:
    explicit constexpr RefCount(std::uint32_t initial = 1) : count_(initial) {}
    void increment() {
        const std::uint32_t before = count_.fetch_add(1, std::memory_order_relaxed);
        EXO_ASSERT(before != 0);  // nobody may revive an object that is ending
        EXO_ASSERT(before < 0x8000'0000);
    }
    // True for the one caller that took the last reference: it sees everything the others wrote.
    [[nodiscard]] bool decrement() {
        const std::uint32_t before = count_.fetch_sub(1, std::memory_order_acq_rel);
        EXO_ASSERT(before != 0);
        return before == 1;
    }
    std::uint32_t value() const { return count_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint32_t> count_;
};

template <typename T>
class Ref {
  public:
    constexpr Ref() = default;
    // Takes a reference of its own.
    explicit Ref(T& object) : object_(&object) { object.ref(); }
    // Takes over a reference the caller holds, such as the one a new object starts with.
    static Ref adopt(T& object) {
        Ref result;
        result.object_ = &object;
        return result;
    }
    Ref(const Ref& other) : object_(other.object_) {
        if (object_ != nullptr) object_->ref();
    }
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() { reset(); }

    void reset() {
        if (T* object = std::exchange(object_, nullptr)) object->unref();
    }
    // Hands the reference over to the caller.
    [[nodiscard]] T* release() { return std::exchange(object_, nullptr); }
    T* get() const { return object_; }
    T& operator*() const {
        EXO_DEBUG_ASSERT(object_ != nullptr);
        return *object_;
    }
    T* operator->() const { return &**this; }
    explicit operator bool() const { return object_ != nullptr; }

  private:
    T* object_ = nullptr;
};

}  // namespace exo
