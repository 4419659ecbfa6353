// SPDX-License-Identifier: MIT
// An address space is a page table and the sorted list of what is mapped in it. Mappings are eager: map() enters every
// page, so user accesses to a live mapping never fault for lack of one.
//
// The page table is touched under the lock (Rank::space) in short batches; flushes are waited for outside of it. A
// mapping is in the list before its first page is entered and until its last flush is over, so its range is nobody
// else's in between; its object is referenced as long, so no frame is reused while a translation may remember it.
//
// Table frames are kept until the space is destroyed, even when what needed them is unmapped.
#pragma once
#include <core/lock.hpp>
#include <hal/mmu.hpp>
#include <lib/list.hpp>
#include <mem/slab.hpp>
#include <mem/vm_object.hpp>
#include <optional>

namespace exo {

inline constexpr hal::VirtAddr map_anywhere{0};
inline constexpr std::uint32_t no_tag = 0;

struct MappingInfo {
    hal::VirtAddr start;
    hal::VirtAddr user_address;  // by which a program reaches it: start, or the direct map on the host
    std::uint64_t pages;
    std::uint64_t first_page;  // of the object
    hal::Access access;
    std::uint32_t tag;
};

class AddressSpace {
  public:
    // An empty space. no_memory if out of frames.
    static Result<AddressSpace*> create();
    // Unmaps everything, drops the objects, gives the tables back. No CPU may have it active or be inside one of its
    // functions. Interrupts on or one CPU only: it waits for flushes.
    static void destroy(AddressSpace* space);

    // Maps pages [first_page, first_page + pages) of the object, which gets a reference. `access` holds read, not both
    // write and execute; user is implied. `at`: map_anywhere, or a page-aligned address of at least 64 KiB, below
    // hal::user_limit. `tag` records the capability it was done by. Returns the address by which a program reaches
    // the first page.
    // bad_argument: empty, outside the object, misaligned, outside user memory, bad access. busy: something is mapped
    // there. no_memory: tables, bookkeeping or addresses. On any error the mappings are as before. Takes time in
    // proportion to `pages`, with interrupts masked for a batch at a time.
    Result<hal::VirtAddr> map(VmObject& object, std::uint64_t first_page, std::uint64_t pages, hal::Access access,
                              hal::VirtAddr at = map_anywhere, std::uint32_t tag = no_tag);

    // Undoes one map(); `start` is what it returned (or was given). bad_address if no live mapping starts there. On
    // return every CPU has forgotten the pages. Interrupts on or one CPU only; no lock held.
    Result<void> unmap(hal::VirtAddr start);
    // All mappings with this tag: revocation. Returns how many there were.
    std::size_t unmap_tagged(std::uint32_t tag);

    // The live mapping that holds this address.
    std::optional<MappingInfo> find(hal::VirtAddr address);
    std::size_t mappings();

    // Makes it this CPU's. Interrupts off.
    void activate() const { hal::activate(table_); }
    hal::PageTable page_table() const { return table_; }

    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;

  private:
    template <typename>
    friend class ObjectCache;

    enum class State : std::uint8_t { entering, live, leaving };
    struct Mapping {
        explicit Mapping(VmObject& mapped) : object(mapped) {}
        hal::VirtAddr end() const { return info.start + info.pages * hal::page_bytes; }

        ListNode node;
        Ref<VmObject> object;
        MappingInfo info{};
        State state = State::entering;
    };
    static ObjectCache<Mapping> mapping_cache_;
    static ObjectCache<AddressSpace> space_cache_;

    explicit AddressSpace(hal::PageTable table) : table_(table) {}
    ~AddressSpace() = default;
    Result<void> place(Mapping& mapping, hal::VirtAddr at);
    bool enter(Mapping& mapping);
    void leave(Mapping& mapping, std::uint64_t entered);
    hal::PendingFlush unmap_page(hal::VirtAddr page);

    const hal::PageTable table_;
    SpinLock<Rank::space> lock_;  // over the table's contents and what follows
    List<Mapping, &Mapping::node> by_address_;
};

}  // namespace exo
