// SPDX-License-Identifier: MIT
// How much memory an owner may hold, in pages. Charged before memory is taken, released after it is given back, so
// the sum is never exceeded even while several CPUs allocate. Counted by reference: what was charged to a process can
// outlive it (the pages of a ring whose other end lives on), and takes the quota along.
#pragma once
#include <atomic>
#include <core/assert.hpp>
#include <cstdint>
#include <lib/refcount.hpp>
#include <lib/result.hpp>

namespace exo {

struct Quota {
    explicit constexpr Quota(std::uint64_t limit) : limit_pages(limit) {}

    // All or nothing; no_memory if the limit would be passed.
    Result<void> charge(std::uint64_t pages) {
        std::uint64_t used = used_pages.load(std::memory_order_relaxed);
        do {
            if (pages > limit_pages || used > limit_pages - pages) return Error::no_memory;
        } while (!used_pages.compare_exchange_weak(used, used + pages, std::memory_order_relaxed));
        return {};
    }
    void release(std::uint64_t pages) {
        const std::uint64_t before = used_pages.fetch_sub(pages, std::memory_order_relaxed);
        EXO_ASSERT(before >= pages);
    }

    // A quota of its own life, from a slab; no_memory. One that its user embeds or keeps on the stack must outlive what
    // is charged to it: its last reference never goes.
    static Result<Ref<Quota>> make(std::uint64_t limit_pages);
    void ref() { references.increment(); }
    void unref();

    const std::uint64_t limit_pages;
    std::atomic<std::uint64_t> used_pages{0};
    RefCount references{1};
};

}  // namespace exo
