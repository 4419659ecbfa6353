// SPDX-License-Identifier: MIT
// Allocate, touch, free: the kernel's slabs and frames against the C library's heap.
#include <cstdlib>
#include <hal/mmu.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>

#include "cases.hpp"

namespace bench {
namespace {

// The object is written and read back through memory, so that no compiler can drop the pair.
std::uint64_t touch(void* object, std::uint64_t value) {
    auto* word = static_cast<volatile std::uint64_t*>(object);
    *word = value;
    return *word;
}

template <typename Allocate, typename Free>
std::uint64_t pairs(std::uint64_t count, Allocate allocate, Free free_one) {
    std::uint64_t total = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        void* object = allocate();
        asm volatile("" : "+r"(object));
        if (object == nullptr) return 0;
        total += touch(object, i);
        free_one(object);
    }
    return total;
}

std::uint64_t sum_below(std::uint64_t count) { return count * (count - 1) / 2; }

Contender libc(std::size_t bytes) {
    return {"glibc malloc", 20'000,
            [bytes](std::uint64_t n) {
                return pairs(
                    n, [bytes] { return std::malloc(bytes); }, [](void* object) { std::free(object); });
            },
            sum_below};
}

std::uint64_t slab_pairs(std::uint64_t count) {
    return pairs(
        count, [] { return exo::heap_allocate(64); }, [](void* object) { exo::heap_free(object, 64); });
}

void* take_frame() {
    const exo::Result<hal::PhysAddr> frame = exo::frames_allocate(0);
    return frame.ok() ? hal::phys_to_virt(*frame) : nullptr;
}
std::uint64_t frame_pairs(std::uint64_t count) {
    return pairs(count, take_frame, [](void* page) { exo::frames_free(hal::virt_to_phys(page), 0); });
}

}  // namespace

RowResult allocate_64(const Effort& effort) {
    return measure({"alloc_64", "allocate and free 64 B", "one address space", "same thread",
                    "one object at a time, warm: the magazine's best case; sized free"},
                   {{"exo", 20'000, slab_pairs, sum_below}, libc(64)}, effort);
}

RowResult allocate_4k(const Effort& effort) {
    return measure({"alloc_4k", "allocate and free a 4 KiB frame", "one address space", "same thread",
                    "one frame at a time straight from the buddy, under its lock, interrupts masked"},
                   {{"exo", 20'000, frame_pairs, sum_below}, libc(4096)}, effort);
}

}  // namespace bench
