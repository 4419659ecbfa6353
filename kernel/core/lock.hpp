// SPDX-License-Identifier: MIT
// Spin locks with a rank in their type. Locks are taken in ascending rank; debug builds check it, so a lock-order
// inversion stops at its first occurrence and not when two CPUs meet. A lock is held with interrupts masked, never
// across a switch, a user copy or a flush.
#pragma once
#include <atomic>
#include <core/assert.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>

namespace exo {

enum class Rank : unsigned { space, vm_object, capabilities, wait_queue, run_queue, slab, frames, console };

inline constexpr unsigned lock_cpus = 64;
struct HeldRanks {
    unsigned mask[lock_cpus] = {};  // a bit a rank that the CPU holds
};
inline constinit HeldRanks held_ranks{};

template <Rank rank>
class SpinLock {
  public:
    constexpr SpinLock() = default;
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;

    // Interrupts masked by the caller. Spins with relax, which serves what other CPUs wait for; uncontended one
    // exchange, and while it is held others only read.
    void lock() {
        check_order();
        while (locked_.exchange(true, std::memory_order_acquire))
            while (locked_.load(std::memory_order_relaxed)) hal::relax();
        note(true);
    }
    void unlock() {
        note(false);
        locked_.store(false, std::memory_order_release);
    }
    bool held() const { return locked_.load(std::memory_order_relaxed); }

  private:
    static constexpr unsigned bit = 1u << static_cast<unsigned>(rank);
#ifdef NDEBUG
    static void check_order() {}
    static void note(bool) {}
#else
    static unsigned& mask() { return held_ranks.mask[static_cast<unsigned>(hal::cpu_index()) % lock_cpus]; }
    static void check_order() { EXO_ASSERT(mask() < bit); }  // nothing of this rank or above is held
    static void note(bool held) { held ? mask() |= bit : mask() &= ~bit; }
#endif
    std::atomic<bool> locked_{false};
};

// Masks interrupts, then takes the lock; the other way round at the end.
template <typename Lock>
class [[nodiscard]] ScopedLock {
  public:
    explicit ScopedLock(Lock& lock) : lock_(lock) { lock_.lock(); }
    ~ScopedLock() { lock_.unlock(); }
    ScopedLock(const ScopedLock&) = delete;
    ScopedLock& operator=(const ScopedLock&) = delete;

  private:
    hal::IrqGuard masked_;
    Lock& lock_;
};

}  // namespace exo
