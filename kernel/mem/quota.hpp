// SPDX-License-Identifier: MIT
// How much memory an owner may hold, in pages. Charged before memory is taken, released after it is given back, so
// the sum is never exceeded even while several CPUs allocate.
#pragma once
#include <atomic>
#include <core/assert.hpp>
#include <cstdint>
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

    const std::uint64_t limit_pages;
    std::atomic<std::uint64_t> used_pages{0};
};

}  // namespace exo
