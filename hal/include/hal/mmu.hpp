// SPDX-License-Identifier: MIT
// Page tables. Real structures in both backends: on bare metal the CPU walks them, on the host tests do.
//
//   struct PageTable { PhysAddr root; };
//   std::byte* phys_to_virt(PhysAddr)       The direct map. The only place where one becomes the other.
//   PhysAddr virt_to_phys(const void*)      Its inverse; the pointer must lie in the direct map.
//   MmuResult mmu_init(const BootInfo&, TableFrames&)
//                                           Once, on the boot CPU: final kernel tables (image W^X, direct map
//                                           no-execute over all RAM, guard pages). Interrupts off.
//   PageTable kernel_page_table()           The kernel's own, after mmu_init.
//   MmuResult page_table_make(TableFrames&, PageTable& out)
//                                           An empty user half that shares the kernel half. Needs 1 frame.
//   void page_table_destroy(PageTable, TableFrames&)
//                                           Gives the table frames of the user half back. No CPU may have it active;
//                                           mapped pages are not touched: their owner frees them.
//   MmuResult map(PageTable, VirtAddr, PhysAddr, Access, TableFrames&)
//                                           Maps one 4 KiB page; `exists` if something is mapped there. At most 3
//                                           table frames. Not-present to present needs no flush.
//   PendingFlush unmap(PageTable, VirtAddr)
//   PendingFlush protect(PageTable, VirtAddr, Access)
//                                           What changed must be flushed before its frame is used again; the returned
//                                           object insists. Nothing mapped: an empty PendingFlush.
//   std::optional<Mapping> translate(PageTable, VirtAddr)
//                                           By walking; for copies, checks and dumps. Mapping{PhysAddr, Access}.
//   void activate(PageTable)                Makes it this CPU's. Interrupts off.
//   PhysAddr flush(PendingFlush&&)          Flushes on every CPU that may hold the entry and returns the frame that
//                                           was mapped. Interrupts on, or one CPU only; no spinlock held.
//   VirtAddr user_alias(VirtAddr va, PhysAddr pa)
//                                           The address by which a user program reaches a page mapped at va: va itself
//                                           where tables are enforced, the direct map on the host.
//   inline constexpr bool isolation_enforced
//   inline constexpr VirtAddr user_limit    First address above user memory.
#pragma once
#include <cstddef>
#include <hal/boot_info.hpp>
#include <hal/types.hpp>
#include <optional>
#include <utility>

namespace hal {

// Where page-table frames come from. `allocate` returns a zeroed frame, or an address of ~0 when there is none; it
// must not block.
struct TableFrames {
    PhysAddr (*allocate)(void* self);
    void (*release)(void* self, PhysAddr);
    void* self;
};
inline constexpr PhysAddr no_frame{~std::uint64_t{0}};

enum class MmuResult : std::uint8_t { ok, exists, no_frames };

struct Mapping {
    PhysAddr frame;
    Access access;
};

// A translation that other places may still remember. It must end in flush(): dropping one that holds a frame is a
// bug and asserts.
class [[nodiscard]] PendingFlush {
  public:
    PendingFlush() = default;
    PendingFlush(VirtAddr page, PhysAddr frame, PhysAddr root = no_frame) : page_(page), frame_(frame), root_(root) {}
    PendingFlush(PendingFlush&& other) noexcept
        : page_(other.page_), frame_(std::exchange(other.frame_, no_frame)), root_(other.root_) {}
    PendingFlush& operator=(PendingFlush&&) = delete;
    ~PendingFlush() {
        if (!empty()) __builtin_trap();
    }
    bool empty() const { return frame_ == no_frame; }
    VirtAddr page() const { return page_; }
    PhysAddr root() const { return root_; }  // of the table it was taken from
    // For the backend's flush() only: hands over the frame once the entry is gone everywhere.
    PhysAddr settle() { return std::exchange(frame_, no_frame); }

  private:
    VirtAddr page_;
    PhysAddr frame_ = no_frame;
    PhysAddr root_ = no_frame;
};

}  // namespace hal
#include <arch/mmu.hpp>
