// SPDX-License-Identifier: MIT
// A VM object is memory that can be mapped: a number of pages, zeroed before anyone sees them, shared by reference
// counting and charged to one quota until the last reference goes. It knows nothing of where it is mapped.
//
// Size and frames never change, so reading them needs no lock.
#pragma once
#include <hal/mmu.hpp>
#include <lib/refcount.hpp>
#include <lib/result.hpp>
#include <mem/quota.hpp>

namespace exo {

class VmObject {
  public:
    // One physically contiguous block, aligned to its size. Charged for the block: pages rounded up to a power of two;
    // at most 1024 pages (4 MiB). Zeroes all of it.
    static Result<Ref<VmObject>> make_contiguous(std::uint64_t pages, Quota& quota);
    // Single frames, wherever they are. At most paged_limit pages.
    static Result<Ref<VmObject>> make_paged(std::uint64_t pages, Quota& quota);
    // Both: bad_argument for 0 or too many pages; no_memory if the quota or the frames do not suffice, with nothing
    // kept. The object keeps the quota alive. Called with interrupts on or off, no lock above Rank::slab held.

    static constexpr std::uint64_t paged_limit = 512 * 1024;  // 2 GiB: its list of frames is one block of 4 MiB

    std::uint64_t pages() const { return pages_; }
    bool contiguous() const { return list_ == nullptr; }
    hal::PhysAddr page(std::uint64_t index) const {
        EXO_ASSERT(index < pages_);
        return contiguous() ? block_ + index * hal::page_bytes : list_[index];
    }
    // One page through the direct map; if contiguous, the pages after it follow.
    std::byte* data(std::uint64_t index = 0) const { return hal::phys_to_virt(page(index)); }

    void ref() { references_.increment(); }
    // The last one frees the frames: no mapping or translation may remember them.
    void unref();
    std::uint32_t references() const { return references_.value(); }

    VmObject(const VmObject&) = delete;
    VmObject& operator=(const VmObject&) = delete;

  private:
    template <typename>
    friend class ObjectCache;

    VmObject(std::uint64_t pages, std::uint64_t charged, Quota& quota)
        : pages_(pages), charged_(charged), quota_(quota) {}
    ~VmObject() = default;
    bool take_block();
    bool take_pages();
    void free_pages(std::uint64_t count);
    static Result<Ref<VmObject>> make(std::uint64_t pages, std::uint64_t charged, Quota& quota,
                                      bool (VmObject::*take)());

    RefCount references_;
    const std::uint64_t pages_;
    const std::uint64_t charged_;
    hal::PhysAddr block_;            // contiguous
    hal::PhysAddr* list_ = nullptr;  // paged: pages_ frames
    Ref<Quota> quota_;
};

}  // namespace exo
