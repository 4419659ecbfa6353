// SPDX-License-Identifier: MIT
// Many producers, one consumer, no lock (Treiber, "Systems Programming: Coping with Parallelism", 1986): a stack of
// intrusive links that the consumer takes as a whole, so that no element is ever taken alone and the ABA problem cannot
// arise. Any CPU posts in any context; only the owner takes.
#pragma once
#include <atomic>

namespace exo {

// `T::*next` is the link; it is the mailbox's from post() until take_all() and whoever walks the chain is done.
template <typename T, T* T::*next>
class Mailbox {
  public:
    constexpr Mailbox() = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // What was written before is seen by who takes it. True if nothing was waiting: the poster that must tell the
    // owner.
    bool post(T& object) {
        T* first = newest_.load(std::memory_order_relaxed);
        do object.*next = first;
        while (!newest_.compare_exchange_weak(first, &object, std::memory_order_release, std::memory_order_relaxed));
        return first == nullptr;
    }
    bool empty() const { return newest_.load(std::memory_order_relaxed) == nullptr; }

    // Everything posted so far, linked by `next`, the oldest first; null if nothing was.
    T* take_all() {
        if (empty()) return nullptr;
        T* newest = newest_.exchange(nullptr, std::memory_order_acquire);
        T* oldest = nullptr;
        while (newest != nullptr) {
            T* before = newest->*next;
            newest->*next = oldest;
            oldest = newest;
            newest = before;
        }
        return oldest;
    }

  private:
    alignas(64) std::atomic<T*> newest_ = nullptr;  // a line of its own: other CPUs write it
};

}  // namespace exo
