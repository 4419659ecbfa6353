// SPDX-License-Identifier: MIT
// User addresses: which ranges are acceptable, and what a copy does where nothing is mapped.
#include "../check.hpp"
#include "../frames.hpp"

namespace {
using hal::user_range_ok;
using hal::VirtAddr;
constexpr std::uint64_t limit = hal::user_limit.value();
constexpr VirtAddr mapped_page(0x0000'0700'0000'0000);
}  // namespace

CONTRACT_CASE(user_ranges_end_at_the_limit) {
    CHECK(user_range_ok(VirtAddr(0x1000), 1));
    CHECK(user_range_ok(VirtAddr(limit - 1), 1));
    CHECK(user_range_ok(VirtAddr(limit - 4096), 4096));
    CHECK(!user_range_ok(VirtAddr(limit - 4096), 4097));
    CHECK(!user_range_ok(VirtAddr(limit), 1));
    CHECK(!user_range_ok(VirtAddr(limit - 1), 2));
    CHECK(user_range_ok(VirtAddr(limit - 1), 0));
}

CONTRACT_CASE(user_ranges_do_not_wrap) {
    CHECK(!user_range_ok(VirtAddr(0x1000), ~std::size_t{0}));
    CHECK(!user_range_ok(VirtAddr(~std::uint64_t{0}), 1));
    CHECK(!user_range_ok(VirtAddr(~std::uint64_t{0}), 2));
    CHECK(!user_range_ok(VirtAddr(limit - 1), ~std::size_t{0}));
    CHECK(!user_range_ok(VirtAddr(0xffff'8000'0000'0000), 8));
    CHECK(!user_range_ok(VirtAddr(0), limit + 1));
}

CONTRACT_CASE(copy_from_unmapped_memory_reports_all_bytes) {
    std::byte buffer[64] = {};
    CHECK(hal::user_copy_in(buffer, VirtAddr(0x1000), sizeof buffer) == sizeof buffer);
    CHECK(hal::user_copy_out(VirtAddr(0x1000), buffer, sizeof buffer) == sizeof buffer);
    CHECK(hal::user_copy_in(buffer, VirtAddr(0x1000), 0) == 0);
}

// The page after the mapped one is not there: the copy says how much is missing. On the host the direct map stands in
// for user memory, and it goes on.
CONTRACT_CASE(copy_stops_at_the_end_of_what_is_mapped) {
    if (!hal::isolation_enforced) return contract::note("copy_stops_at_the_end_of_what_is_mapped: not enforced here");
    contract::CountedFrames frames;
    hal::PageTable table{};
    const hal::PhysAddr frame = contract::block_allocate(1);
    REQUIRE(frame != contract::no_block && hal::page_table_make(frames.source(), table) == hal::MmuResult::ok);
    using hal::Access;
    CHECK(hal::map(table, mapped_page, frame, Access::user | Access::read | Access::write, frames.source()) ==
          hal::MmuResult::ok);
    std::byte buffer[64];
    __builtin_memset(buffer, 7, sizeof buffer);
    hal::IrqGuard masked;
    hal::activate(table);
    const VirtAddr near_end = mapped_page + hal::page_bytes - 16;
    CHECK(hal::user_copy_out(near_end, buffer, sizeof buffer) == sizeof buffer - 16);
    CHECK(hal::user_copy_in(buffer, near_end, sizeof buffer) == sizeof buffer - 16);
    CHECK(hal::flush(hal::protect(table, mapped_page, Access::user | Access::read)) == frame);
    CHECK(hal::user_copy_out(mapped_page, buffer, sizeof buffer) == sizeof buffer);
    CHECK(hal::user_copy_in(buffer, mapped_page, sizeof buffer) == 0);
    CHECK(hal::flush(hal::unmap(table, mapped_page)) == frame);
    CHECK(hal::user_copy_in(buffer, mapped_page, sizeof buffer) == sizeof buffer);
    hal::activate(hal::kernel_page_table());
    hal::page_table_destroy(table, frames.source());
    CHECK(frames.in_use() == 0);
    contract::block_free(frame, 1);
}

CONTRACT_CASE(user_frame_registers_are_separate) {
    hal::UserFrame frame{};
    for (unsigned i = 0; i < 4; ++i) frame.set_message(i, 100 + i);
    frame.set_result(-3);
    for (unsigned i = 0; i < 4; ++i) CHECK(frame.message(i) == 100 + i);
    for (unsigned i = 1; i < 5; ++i) CHECK(frame.argument(i) == 99 + i);
    CHECK(frame.argument(0) == 0 && frame.argument(5) == 0);
}

CONTRACT_CASE(unknown_linked_program_is_null) {
    CHECK(hal::linked_program("no such program") == nullptr);
    CHECK(hal::linked_program("") == nullptr);
}

CONTRACT_GROUP(user)
