// SPDX-License-Identifier: MIT
// Page tables: what is mapped is found, what is unmapped is gone, table frames all come back.
#include "../check.hpp"
#include "../frames.hpp"

namespace {

using contract::CountedFrames;
using hal::Access;
using hal::MmuResult;
using hal::PhysAddr;
using hal::VirtAddr;

constexpr Access user_rw = Access::user | Access::read | Access::write;
constexpr VirtAddr somewhere(0x0000'1234'5678'9000);

// A table of its own for each case, destroyed at its end; `frames` then holds nothing.
struct Space {
    CountedFrames frames;
    hal::PageTable table{};
    bool made;
    Space() : made(hal::page_table_make(frames.source(), table) == MmuResult::ok) {}
    ~Space() {
        if (made) hal::page_table_destroy(table, frames.source());
        CHECK(frames.in_use() == 0);
    }
    Space(const Space&) = delete;
    Space& operator=(const Space&) = delete;
    MmuResult map(VirtAddr page, PhysAddr frame, Access access = user_rw) {
        return hal::map(table, page, frame, access, frames.source());
    }
};

// One page of memory to map.
struct Page {
    PhysAddr frame = contract::block_allocate(1);
    ~Page() {
        if (frame != contract::no_block) contract::block_free(frame, 1);
    }
};

}  // namespace

CONTRACT_CASE(direct_map_goes_both_ways) {
    Page page;
    REQUIRE(page.frame != contract::no_block);
    std::byte* bytes = hal::phys_to_virt(page.frame);
    CHECK(hal::virt_to_phys(bytes) == page.frame);
    CHECK(hal::virt_to_phys(bytes + 123) == page.frame + 123);
    CHECK(page.frame.value() != 0);
    bytes[17] = std::byte{0xa5};
    CHECK(hal::phys_to_virt(page.frame + 17)[0] == std::byte{0xa5});
}

CONTRACT_CASE(new_table_takes_one_frame_and_maps_nothing) {
    Space space;
    REQUIRE(space.made);
    CHECK(space.frames.in_use() == 1);
    CHECK(!hal::translate(space.table, somewhere));
    CHECK(!hal::translate(space.table, VirtAddr(0)));
    CHECK(!hal::translate(space.table, VirtAddr(0x0000'8000'0000'0000)));  // not canonical
}

CONTRACT_CASE(no_frame_for_a_table_is_reported) {
    CountedFrames none(0);
    hal::PageTable table{};
    CHECK(hal::page_table_make(none.source(), table) == MmuResult::no_frames);
    CHECK(none.in_use() == 0);
}

CONTRACT_CASE(map_then_translate) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    CHECK(space.map(somewhere, page.frame) == MmuResult::ok);
    CHECK(space.frames.in_use() <= 4);
    const auto found = hal::translate(space.table, somewhere);
    REQUIRE(found.has_value());
    CHECK(found->frame == page.frame);
    CHECK(found->access == user_rw);
    CHECK(!hal::translate(space.table, somewhere + hal::page_bytes));
    CHECK(!hal::translate(space.table, somewhere - hal::page_bytes));
    CHECK(hal::flush(hal::unmap(space.table, somewhere)) == page.frame);
}

CONTRACT_CASE(rights_are_kept_apart) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    const Access sets[] = {Access::read | Access::user, user_rw, Access::read | Access::execute | Access::user,
                           Access::read};
    VirtAddr at = somewhere;
    for (const Access rights : sets) {
        CHECK(space.map(at, page.frame, rights) == MmuResult::ok);
        const auto found = hal::translate(space.table, at);
        CHECK(found && found->access == rights);
        at = at + hal::page_bytes;
    }
}

CONTRACT_CASE(mapping_twice_is_refused) {
    Space space;
    Page first, second;
    REQUIRE(space.made && first.frame != contract::no_block && second.frame != contract::no_block);
    CHECK(space.map(somewhere, first.frame) == MmuResult::ok);
    const std::size_t frames = space.frames.in_use();
    CHECK(space.map(somewhere, second.frame) == MmuResult::exists);
    CHECK(space.frames.in_use() == frames);
    const auto found = hal::translate(space.table, somewhere);
    CHECK(found && found->frame == first.frame);
}

CONTRACT_CASE(unmap_returns_the_frame_once) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    CHECK(space.map(somewhere, page.frame) == MmuResult::ok);
    hal::PendingFlush change = hal::unmap(space.table, somewhere);
    CHECK(!change.empty() && change.page() == somewhere);
    CHECK(hal::flush(std::move(change)) == page.frame);
    CHECK(!hal::translate(space.table, somewhere));
    CHECK(hal::unmap(space.table, somewhere).empty());
    CHECK(space.map(somewhere, page.frame, Access::read | Access::user) == MmuResult::ok);
    CHECK(hal::flush(hal::unmap(space.table, somewhere)) == page.frame);
}

CONTRACT_CASE(unmap_and_protect_of_nothing_are_empty) {
    Space space;
    REQUIRE(space.made);
    CHECK(hal::unmap(space.table, somewhere).empty());
    CHECK(hal::protect(space.table, somewhere, Access::read).empty());
    CHECK(space.frames.in_use() == 1);
}

CONTRACT_CASE(protect_changes_rights_and_keeps_the_frame) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    CHECK(space.map(somewhere, page.frame) == MmuResult::ok);
    hal::PendingFlush change = hal::protect(space.table, somewhere, Access::read | Access::user);
    CHECK(!change.empty());
    CHECK(hal::flush(std::move(change)) == page.frame);
    const auto found = hal::translate(space.table, somewhere);
    CHECK(found && found->frame == page.frame && found->access == (Access::read | Access::user));
    CHECK(hal::flush(hal::unmap(space.table, somewhere)) == page.frame);
}

CONTRACT_CASE(running_out_of_table_frames_harms_nothing) {
    for (std::size_t limit = 1; limit <= 4; ++limit) {
        Space space;
        Page page;
        REQUIRE(space.made && page.frame != contract::no_block);
        space.frames.set_limit(limit);
        const MmuResult result = space.map(somewhere, page.frame);
        CHECK(result == (limit < 4 ? MmuResult::no_frames : MmuResult::ok));
        CHECK(hal::translate(space.table, somewhere).has_value() == (limit == 4));
        space.frames.set_limit(4);
        if (result != MmuResult::ok) CHECK(space.map(somewhere, page.frame) == MmuResult::ok);
        CHECK(hal::flush(hal::unmap(space.table, somewhere)) == page.frame);
    }
}

CONTRACT_CASE(thousands_of_pages_far_apart) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    constexpr std::uint64_t pages = 2048;
    const auto address = [](std::uint64_t i) { return VirtAddr(i * 0x60'1000 + 0x40'0000); };
    std::uint64_t mapped = 0;
    while (mapped < pages && space.map(address(mapped), page.frame) == MmuResult::ok) ++mapped;
    CHECK(mapped == pages);
    for (std::uint64_t i = 0; i < mapped; ++i) CHECK(hal::translate(space.table, address(i)).has_value());
    for (std::uint64_t i = 0; i < mapped; i += 2) CHECK(hal::flush(hal::unmap(space.table, address(i))) == page.frame);
    for (std::uint64_t i = 0; i < mapped; ++i)
        CHECK(hal::translate(space.table, address(i)).has_value() == (i % 2 == 1));
}  // the odd ones stay mapped: destroying the table must cope, and give every table frame back

CONTRACT_CASE(first_and_last_user_page) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    const VirtAddr last(0x0000'8000'0000'0000 - hal::page_bytes);
    for (const VirtAddr at : {VirtAddr(0), last}) {
        CHECK(space.map(at, page.frame) == MmuResult::ok);
        CHECK(hal::translate(space.table, at).has_value());
        CHECK(hal::flush(hal::unmap(space.table, at)) == page.frame);
    }
}

CONTRACT_CASE(tables_are_independent) {
    Space one, two;
    Page page;
    REQUIRE(one.made && two.made && page.frame != contract::no_block);
    CHECK(one.map(somewhere, page.frame) == MmuResult::ok);
    CHECK(!hal::translate(two.table, somewhere));
    CHECK(hal::flush(hal::unmap(one.table, somewhere)) == page.frame);
}

CONTRACT_CASE(mapped_page_is_reached_by_its_user_address) {
    Space space;
    Page page;
    REQUIRE(space.made && page.frame != contract::no_block);
    CHECK(space.map(somewhere, page.frame) == MmuResult::ok);
    std::uint64_t back = 0;
    const std::uint64_t value = 0x0123'4567'89ab'cdef;
    hal::IrqGuard masked;
    hal::activate(space.table);
    const VirtAddr at = hal::user_alias(somewhere, page.frame) + 0x100;
    CHECK(hal::user_copy_out(at, &value, sizeof value) == 0);
    CHECK(hal::user_copy_in(&back, at, sizeof back) == 0);
    CHECK(hal::flush(hal::unmap(space.table, somewhere)) == page.frame);
    hal::activate(hal::kernel_page_table());
    CHECK(back == value);
    __builtin_memcpy(&back, hal::phys_to_virt(page.frame + 0x100), sizeof back);
    CHECK(back == value);
}

CONTRACT_GROUP(mmu)
