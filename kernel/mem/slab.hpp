// SPDX-License-Identifier: MIT
// Kernel objects of one size each (Bonwick, "The Slab Allocator", 1994; per-CPU magazines after Bonwick and Adams,
// 2001). A slab is a buddy block that begins with a header and is cut into equal objects, so the slab of an object is
// its address rounded down. Free objects are linked through their own first word.
//
// Each CPU has a magazine a cache: a short list of free objects that only this CPU touches. Kernel code is not
// preempted and interrupt handlers never allocate, so the fast path is a few plain instructions, without atomics or
// masking. Magazines are grouped by CPU, not by cache: a CPU that is never started costs a pointer.
//
// Allocation never blocks; null means out of frames. With EXO_SLAB_DEBUG (default: where NDEBUG is not defined) free
// objects are poisoned: a double free, a free to the wrong cache and a write after free assert.
#pragma once
#include <array>
#include <atomic>
#include <core/lock.hpp>
#include <cstddef>
#include <cstdint>
#include <hal/cpu.hpp>
#include <lib/list.hpp>
#include <lib/result.hpp>
#include <lib/sizes.hpp>
#include <new>
#include <utility>

#ifndef EXO_SLAB_DEBUG
#ifdef NDEBUG
#define EXO_SLAB_DEBUG 0
#else
#define EXO_SLAB_DEBUG 1
#endif
#endif

namespace exo {

inline constexpr bool slab_debug = EXO_SLAB_DEBUG;
inline constexpr unsigned slab_caches_limit = 64;
inline constexpr unsigned slab_cpus_limit = 64;

struct Magazine {
    void* head = nullptr;
    std::uint32_t count = 0;
};

// What one CPU has in hand of every cache. Cache number 0 is nobody's: a cache that was never used reads it, finds it
// empty and gets its number in the slow path.
struct CpuMagazines {
    Magazine of[slab_caches_limit];
};
inline constinit CpuMagazines boot_magazines{};
inline constinit CpuMagazines* cpu_magazines[slab_cpus_limit] = {&boot_magazines};

// Gives another CPU its magazines. On the boot CPU, before that one first allocates; no_memory if out of frames.
Result<void> slab_cpu_init(hal::CpuIndex cpu);

struct Slab;

struct SlabStats {
    std::uint64_t slabs = 0;
    std::uint64_t objects = 0;    // in those slabs
    std::uint64_t available = 0;  // free in slabs; objects in magazines count as taken
};

class SlabCache {
  public:
    // Objects of `object_bytes` (1 .. 16 KiB) at multiples of `alignment` (a power of two, at most a page). `name`
    // lives for ever. A cache is never destroyed: make it a constinit global.
    constexpr SlabCache(const char* name, std::size_t object_bytes, std::size_t alignment = 16);
    SlabCache(const SlabCache&) = delete;
    SlabCache& operator=(const SlabCache&) = delete;

    // Contents undefined. Null when out of frames.
    void* allocate() {
        Magazine& magazine = this_magazine();
        void* object = magazine.head;
        if (object == nullptr) [[unlikely]]
            return refill();
        magazine.head = *static_cast<void**>(object);
        --magazine.count;
        if constexpr (slab_debug) check_taken(object);
        return object;
    }

    // The object came from this cache's allocate(); it may have been another CPU's.
    void free(void* object) {
        if constexpr (slab_debug) check_returned(object);
        Magazine& magazine = this_magazine();
        *static_cast<void**>(object) = magazine.head;
        magazine.head = object;
        if (++magazine.count > magazine_limit_) [[unlikely]]
            drain(batch_);
    }

    // Gives this CPU's magazine and every empty slab back to the frame allocator.
    void trim();

    SlabStats stats();
    const char* name() const { return name_; }
    std::size_t stride() const { return stride_; }
    std::size_t objects_per_slab() const { return objects_per_slab_; }

  private:
    static constexpr std::size_t header_bytes = 64;

    Magazine& this_magazine() {
        const auto cpu = static_cast<std::uint32_t>(hal::cpu_index());
        return cpu_magazines[cpu]->of[number_.load(std::memory_order_relaxed)];
    }
    std::size_t slab_bytes() const { return page_bytes << slab_order_; }
    Slab* slab_of(void* object) const;
    void* refill();
    void drain(std::uint32_t count);
    void register_once();
    Slab* make_slab();
    Slab* slab_with_room();
    void* take_from(Slab& slab);
    void return_to_slab(void* object);
    void release(Slab& slab);
    void check_taken(void* object);
    void check_returned(void* object);
    void poison(void* object);

    const char* name_;
    std::atomic<std::uint32_t> number_{0};
    std::uint32_t magazine_limit_;
    std::uint32_t batch_;
    std::uint32_t stride_;
    std::uint32_t first_offset_;  // of the first object in a slab
    std::uint32_t objects_per_slab_;
    std::uint32_t slab_order_;

    struct SlabLink {
        ListNode node;
    };
    SpinLock<Rank::slab> lock_;                // over what follows
    List<SlabLink, &SlabLink::node> partial_;  // some object free; empty slabs at the back
    List<SlabLink, &SlabLink::node> full_;
    std::uint64_t slabs_ = 0;
    std::uint64_t available_ = 0;
    std::uint32_t empty_slabs_ = 0;

    friend struct Slab;
};

constexpr SlabCache::SlabCache(const char* name, std::size_t object_bytes, std::size_t alignment)
    : name_(name), stride_(), first_offset_(), objects_per_slab_(), slab_order_() {
    constexpr std::size_t objects_wanted = 6;  // a slab: bounds what is lost at its end to about a seventh
    alignment = alignment < 16 ? 16 : alignment;
    EXO_ASSERT(object_bytes >= 1);
    EXO_ASSERT(object_bytes <= 16 * KiB);
    EXO_ASSERT(alignment <= page_bytes);
    const std::size_t stride = align_up(object_bytes, alignment);
    const std::size_t offset = align_up(header_bytes, alignment);
    stride_ = static_cast<std::uint32_t>(stride);
    first_offset_ = static_cast<std::uint32_t>(offset);
    slab_order_ = order_for_bytes(offset + objects_wanted * stride);
    objects_per_slab_ = static_cast<std::uint32_t>(((page_bytes << slab_order_) - offset) / stride);
    const std::size_t fitting = page_bytes / stride;
    batch_ = fitting > 32 ? 32 : fitting < 4 ? 4 : static_cast<std::uint32_t>(fitting);
    magazine_limit_ = 2 * batch_;
}

// Trims every cache that was used. For low memory and for tests that compare frame statistics. Magazines of other CPUs
// stay theirs.
void slab_trim();

// A cache for objects of one type.
template <typename T>
class ObjectCache {
  public:
    explicit constexpr ObjectCache(const char* name) : cache_(name, sizeof(T), alignof(T)) {}

    template <typename... Args>
    Result<T*> make(Args&&... args) {
        void* place = cache_.allocate();
        if (place == nullptr) return Error::no_memory;
        return ::new (place) T(std::forward<Args>(args)...);
    }
    void destroy(T& object) {
        object.~T();
        cache_.free(&object);
    }
    SlabCache& slabs() { return cache_; }

  private:
    SlabCache cache_;
};

// The sized heap: for what has no type of its own. The caller remembers the size.
inline constexpr std::size_t heap_class_sizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048};
inline constexpr std::size_t heap_classes = std::size(heap_class_sizes);
inline constexpr std::size_t heap_largest_class = heap_class_sizes[heap_classes - 1];
extern SlabCache heap_caches[heap_classes];

inline constexpr auto heap_class_table = [] {
    std::array<std::uint8_t, heap_largest_class / 16 + 1> table{};
    std::uint8_t index = 0;
    for (std::size_t units = 0; units < table.size(); ++units) {
        while (heap_class_sizes[index] < units * 16) ++index;
        table[units] = index;
    }
    return table;
}();
constexpr std::size_t heap_class(std::size_t bytes) { return heap_class_table[(bytes + 15) / 16]; }

void* heap_allocate_block(std::size_t bytes);
void heap_free_block(void* object, std::size_t bytes);

// At least `bytes` (0 is taken for 1), aligned to 16, and to 64 for multiples of 64; above 2048 whole pages, at most
// 4 MiB. Contents undefined. Null when out of frames.
inline void* heap_allocate(std::size_t bytes) {
    if (bytes > heap_largest_class) [[unlikely]]
        return heap_allocate_block(bytes);
    return heap_caches[heap_class(bytes)].allocate();
}
// `bytes` is what was asked for. Null is allowed.
inline void heap_free(void* object, std::size_t bytes) {
    if (object == nullptr) return;
    if (bytes > heap_largest_class) [[unlikely]]
        return heap_free_block(object, bytes);
    heap_caches[heap_class(bytes)].free(object);
}

}  // namespace exo
