// SPDX-License-Identifier: MIT
// The slow half of the slab allocator: magazines exchange batches with slabs, slabs come from and return to the buddy.
#include <algorithm>
#include <cstring>
#include <mem/frames.hpp>
#include <mem/slab.hpp>

namespace exo {

// At the start of its block. Objects are cut off the untouched rest only when the free list is empty, so a new slab
// costs nothing until it is used.
struct Slab : SlabCache::SlabLink {
    SlabCache* cache = nullptr;
    void* free = nullptr;
    std::uint32_t used = 0;    // objects out
    std::uint32_t carved = 0;  // objects ever cut off
};

namespace {

constinit SpinLock<Rank::slab> registry_lock;
constinit SlabCache* registry[slab_caches_limit] = {};
constinit std::uint32_t registered = 1;  // 0 is nobody's

constexpr unsigned char poison_byte = 0xde;
constexpr unsigned char fresh_byte = 0xac;  // what a new object holds: nobody may rely on zeroes

// Second word of a free object: differs from object to object, so a copied object does not pass for a free one.
std::uint64_t& canary_of(void* object) { return static_cast<std::uint64_t*>(object)[1]; }
std::uint64_t free_canary(const void* object) {
    return reinterpret_cast<std::uintptr_t>(object) ^ 0xf4ee'0b1e'c7f4'ee0b;
}

constexpr std::size_t poison_offset = 16;

}  // namespace

Result<void> slab_cpu_init(hal::CpuIndex cpu) {
    const auto index = static_cast<std::uint32_t>(cpu);
    EXO_ASSERT(index < slab_cpus_limit);
    if (cpu_magazines[index] != nullptr) return {};
    const hal::PhysAddr block = EXO_TRY(frames_allocate(order_for_bytes(sizeof(CpuMagazines))));
    cpu_magazines[index] = ::new (hal::phys_to_virt(block)) CpuMagazines{};
    return {};
}

void slab_trim() {
    for (std::uint32_t number = 1;; ++number) {
        SlabCache* cache = nullptr;
        {
            ScopedLock guard(registry_lock);
            if (number < registered) cache = registry[number];
        }
        if (cache == nullptr) return;
        cache->trim();
    }
}

void SlabCache::register_once() {
    if (number_.load(std::memory_order_relaxed) != 0) return;
    ScopedLock guard(registry_lock);
    if (number_.load(std::memory_order_relaxed) != 0) return;  // another CPU was first
    EXO_ASSERT(registered < slab_caches_limit);
    registry[registered] = this;
    number_.store(registered++, std::memory_order_relaxed);
}

void* SlabCache::refill() {
    register_once();
    ScopedLock guard(lock_);
    Magazine& magazine = this_magazine();
    for (std::uint32_t i = 0; i < batch_; ++i) {
        Slab* slab = slab_with_room();
        if (slab == nullptr) break;
        void* object = take_from(*slab);
        *static_cast<void**>(object) = magazine.head;
        magazine.head = object;
        ++magazine.count;
    }
    void* object = magazine.head;
    if (object == nullptr) return nullptr;
    magazine.head = *static_cast<void**>(object);
    --magazine.count;
    if constexpr (slab_debug) check_taken(object);
    return object;
}

void SlabCache::drain(std::uint32_t count) {
    ScopedLock guard(lock_);
    Magazine& magazine = this_magazine();
    for (; count != 0 && magazine.head != nullptr; --count) {
        void* object = magazine.head;
        magazine.head = *static_cast<void**>(object);
        --magazine.count;
        return_to_slab(object);
    }
}

void SlabCache::trim() {
    if (number_.load(std::memory_order_relaxed) == 0) return;
    drain(~std::uint32_t{0});
    ScopedLock guard(lock_);
    while (!partial_.empty()) {
        Slab& last = static_cast<Slab&>(partial_.back());
        if (last.used != 0) break;
        --empty_slabs_;
        release(last);
    }
}

SlabStats SlabCache::stats() {
    ScopedLock guard(lock_);
    return {slabs_, slabs_ * objects_per_slab_, available_};
}

Slab* SlabCache::slab_of(void* object) const {
    return reinterpret_cast<Slab*>(align_down(reinterpret_cast<std::uintptr_t>(object), slab_bytes()));
}

Slab* SlabCache::make_slab() {
    static_assert(sizeof(Slab) <= header_bytes);
    const auto block = frames_allocate(slab_order_);
    if (!block) return nullptr;
    Slab* slab = ::new (hal::phys_to_virt(*block)) Slab;
    slab->cache = this;
    partial_.push_back(*slab);
    ++slabs_;
    ++empty_slabs_;
    available_ += objects_per_slab_;
    return slab;
}

Slab* SlabCache::slab_with_room() { return partial_.empty() ? make_slab() : &static_cast<Slab&>(partial_.front()); }

void* SlabCache::take_from(Slab& slab) {
    void* object = slab.free;
    if (object != nullptr) {
        slab.free = *static_cast<void**>(object);
    } else {
        object = reinterpret_cast<std::byte*>(&slab) + first_offset_ + std::size_t{slab.carved++} * stride_;
        if constexpr (slab_debug) poison(object);
    }
    if (slab.used++ == 0) --empty_slabs_;
    --available_;
    if (slab.used == objects_per_slab_) {
        partial_.remove(slab);
        full_.push_back(slab);
    }
    return object;
}

// Slabs in use stay at the front, so that objects gather there and the ones at the back become empty.
void SlabCache::return_to_slab(void* object) {
    Slab& slab = *slab_of(object);
    EXO_ASSERT(slab.cache == this);
    EXO_ASSERT(slab.used != 0);
    *static_cast<void**>(object) = slab.free;
    slab.free = object;
    ++available_;
    if (slab.used-- == objects_per_slab_) {
        full_.remove(slab);
        partial_.push_front(slab);
    }
    if (slab.used != 0) return;
    if (empty_slabs_ != 0) return release(slab);
    ++empty_slabs_;
    partial_.remove(slab);
    partial_.push_back(slab);
}

void SlabCache::release(Slab& slab) {
    partial_.remove(slab);
    --slabs_;
    available_ -= objects_per_slab_;
    slab.cache = nullptr;  // a late free asserts while the frame is nobody else's
    frames_free(hal::virt_to_phys(&slab), slab_order_);
}

void SlabCache::poison(void* object) {
    canary_of(object) = free_canary(object);
    if (stride_ > poison_offset)
        std::memset(static_cast<std::byte*>(object) + poison_offset, poison_byte, stride_ - poison_offset);
}

void SlabCache::check_returned(void* object) {
    Slab& slab = *slab_of(object);
    EXO_ASSERT(slab.cache == this);  // else: another cache's, or the heap's under another size
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(object) - reinterpret_cast<std::byte*>(&slab));
    EXO_ASSERT(offset >= first_offset_);
    EXO_ASSERT((offset - first_offset_) % stride_ == 0);
    EXO_ASSERT(canary_of(object) != free_canary(object));  // else: freed twice
    poison(object);
}

void SlabCache::check_taken(void* object) {
    EXO_ASSERT(canary_of(object) == free_canary(object));  // else: written after free
    auto* bytes = static_cast<unsigned char*>(object);
    const bool untouched = std::all_of(bytes + poison_offset, bytes + std::max<std::size_t>(stride_, poison_offset),
                                       [](unsigned char byte) { return byte == poison_byte; });
    EXO_ASSERT(untouched);  // else: written after free
    std::memset(object, fresh_byte, stride_);
}

constinit SlabCache heap_caches[heap_classes] = {
    SlabCache("heap-16", 16),         SlabCache("heap-32", 32),         SlabCache("heap-48", 48),
    SlabCache("heap-64", 64, 64),     SlabCache("heap-96", 96),         SlabCache("heap-128", 128, 64),
    SlabCache("heap-192", 192, 64),   SlabCache("heap-256", 256, 64),   SlabCache("heap-384", 384, 64),
    SlabCache("heap-512", 512, 64),   SlabCache("heap-768", 768, 64),   SlabCache("heap-1024", 1024, 64),
    SlabCache("heap-1536", 1536, 64), SlabCache("heap-2048", 2048, 64),
};

void* heap_allocate_block(std::size_t bytes) {
    if (bytes > (page_bytes << largest_order)) return nullptr;
    const auto block = frames_allocate(order_for_bytes(bytes));
    return block ? hal::phys_to_virt(*block) : nullptr;
}

void heap_free_block(void* object, std::size_t bytes) {
    frames_free(hal::virt_to_phys(object), order_for_bytes(bytes));
}

}  // namespace exo
