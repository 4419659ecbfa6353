// SPDX-License-Identifier: MIT
#include <algorithm>
#include <mem/address_space.hpp>
#include <mem/frames.hpp>
#include <mem/slab.hpp>

namespace exo {
namespace {

constexpr hal::VirtAddr lowest_fixed{0x1'0000};            // null pointers and their fields fault
constexpr hal::VirtAddr lowest_anywhere{0x100'0000'0000};  // above what programs are linked for
constexpr std::uint64_t batch_pages = 32;                  // entered a lock: bounds the time with interrupts masked

bool access_ok(hal::Access access) {
    using enum hal::Access;
    return has(access, read) && !(has(access, write) && has(access, execute));
}

bool range_ok(hal::VirtAddr at, std::uint64_t pages) {
    return at.page_aligned() && at >= lowest_fixed && at < hal::user_limit &&
           pages <= (hal::user_limit - at) / hal::page_bytes;
}

}  // namespace

constinit ObjectCache<AddressSpace::Mapping> AddressSpace::mapping_cache_("mapping");
constinit ObjectCache<AddressSpace> AddressSpace::space_cache_("address-space");

Result<AddressSpace*> AddressSpace::create() {
    hal::PageTable table;
    if (hal::page_table_make(table_frames(), table) != hal::MmuResult::ok) return Error::no_memory;
    const Result<AddressSpace*> space = space_cache_.make(table);
    if (!space) hal::page_table_destroy(table, table_frames());
    return space;
}

void AddressSpace::destroy(AddressSpace* space) {
    while (!space->by_address_.empty()) {
        Mapping& mapping = space->by_address_.front();
        EXO_ASSERT(mapping.state == State::live);  // else: another CPU is still inside
        space->leave(mapping, mapping.info.pages);
    }
    hal::page_table_destroy(space->table_, table_frames());
    space_cache_.destroy(*space);
}

Result<hal::VirtAddr> AddressSpace::map(VmObject& object, std::uint64_t first_page, std::uint64_t pages,
                                        hal::Access access, hal::VirtAddr at, std::uint32_t tag) {
    if (pages == 0 || pages > object.pages() || first_page > object.pages() - pages) return Error::bad_argument;
    if (!access_ok(access)) return Error::bad_argument;
    if (at != map_anywhere && !range_ok(at, pages)) return Error::bad_argument;

    Mapping& mapping = *EXO_TRY(mapping_cache_.make(object));
    mapping.info = {.pages = pages, .first_page = first_page, .access = access | hal::Access::user, .tag = tag};
    if (const auto placed = place(mapping, at); !placed) {
        mapping_cache_.destroy(mapping);
        return placed.error();
    }
    if (!enter(mapping)) return Error::no_memory;
    return mapping.info.user_address;
}

// Finds room and links the mapping there in order of address.
Result<void> AddressSpace::place(Mapping& mapping, hal::VirtAddr at) {
    const std::uint64_t bytes = mapping.info.pages * hal::page_bytes;
    const bool anywhere = at == map_anywhere;
    const std::uint64_t guard = anywhere ? hal::page_bytes : 0;
    hal::VirtAddr start = anywhere ? lowest_anywhere : at;
    ScopedLock locked(lock_);
    Mapping* before = nullptr;  // the last one below
    for (Mapping& other : by_address_) {
        if (other.info.start >= start + bytes + guard) break;
        if (other.end() + guard > start) {
            if (!anywhere) return Error::busy;
            start = other.end() + guard;
        }
        before = &other;
    }
    if (!range_ok(start, mapping.info.pages)) return Error::no_memory;
    mapping.info.start = start;
    mapping.info.user_address = hal::user_alias(start, mapping.object->page(mapping.info.first_page));
    before != nullptr ? by_address_.insert_after(*before, mapping) : by_address_.push_front(mapping);
    return {};
}

// False if table frames ran out: the mapping is then gone.
bool AddressSpace::enter(Mapping& mapping) {
    const MappingInfo& info = mapping.info;
    std::uint64_t done = 0;
    while (done < info.pages) {
        ScopedLock locked(lock_);
        const std::uint64_t batch_end = std::min(done + batch_pages, info.pages);
        for (; done < batch_end; ++done) {
            const auto result = hal::map(table_, info.start + done * hal::page_bytes,
                                         mapping.object->page(info.first_page + done), info.access, table_frames());
            EXO_ASSERT(result != hal::MmuResult::exists);  // the list says that nothing is there
            if (result != hal::MmuResult::ok) break;
        }
        if (done == info.pages) mapping.state = State::live;
        if (done < batch_end) break;
    }
    if (done == info.pages) return true;
    leave(mapping, done);
    return false;
}

// Takes the first `entered` pages out, waits for the flushes, then forgets the mapping and its reference.
void AddressSpace::leave(Mapping& mapping, std::uint64_t entered) {
    for (std::uint64_t i = 0; i < entered; ++i) {
        const hal::PhysAddr frame = hal::flush(unmap_page(mapping.info.start + i * hal::page_bytes));
        EXO_ASSERT(frame == mapping.object->page(mapping.info.first_page + i));
    }
    {
        ScopedLock locked(lock_);
        by_address_.remove(mapping);
    }
    mapping_cache_.destroy(mapping);
}

hal::PendingFlush AddressSpace::unmap_page(hal::VirtAddr page) {
    ScopedLock locked(lock_);
    return hal::unmap(table_, page);
}

Result<void> AddressSpace::unmap(hal::VirtAddr start) {
    Mapping* found = nullptr;
    {
        ScopedLock locked(lock_);
        for (Mapping& mapping : by_address_) {
            if (mapping.state != State::live) continue;
            if (mapping.info.start != start && mapping.info.user_address != start) continue;
            mapping.state = State::leaving;
            found = &mapping;
            break;
        }
    }
    if (found == nullptr) return Error::bad_address;
    leave(*found, found->info.pages);
    return {};
}

std::size_t AddressSpace::unmap_tagged(std::uint32_t tag) {
    for (std::size_t count = 0;; ++count) {
        Mapping* found = nullptr;
        {
            ScopedLock locked(lock_);
            for (Mapping& mapping : by_address_) {
                if (mapping.state != State::live || mapping.info.tag != tag) continue;
                mapping.state = State::leaving;
                found = &mapping;
                break;
            }
        }
        if (found == nullptr) return count;
        leave(*found, found->info.pages);
    }
}

std::optional<MappingInfo> AddressSpace::find(hal::VirtAddr address) {
    ScopedLock locked(lock_);
    for (const Mapping& mapping : by_address_) {
        if (mapping.state != State::live) continue;
        if (address >= mapping.info.start && address < mapping.end()) return mapping.info;
    }
    return std::nullopt;
}

std::size_t AddressSpace::mappings() {
    ScopedLock locked(lock_);
    return by_address_.length();
}

}  // namespace exo
