// SPDX-License-Identifier: MIT
// Shapes: sizes, alignments and values that callers of the HAL rely on. Functions are checked by hal/contract.hpp.
#include <hal/contract.hpp>

#include "../check.hpp"

static_assert(sizeof(hal::PhysAddr) == 8 && sizeof(hal::VirtAddr) == 8);
static_assert(!std::is_convertible_v<hal::PhysAddr, hal::VirtAddr> && !std::is_convertible_v<int, hal::PhysAddr>);
static_assert(!std::is_copy_constructible_v<hal::PendingFlush> && std::is_move_constructible_v<hal::PendingFlush>);
static_assert(!std::is_copy_constructible_v<hal::IrqGuard> && !std::is_move_constructible_v<hal::IrqGuard>);

CONTRACT_CASE(address_arithmetic) {
    const hal::PhysAddr address(0x1234'5678);
    CHECK(address.page_floor().value() == 0x1234'5000);
    CHECK(!address.page_aligned());
    CHECK(address.page_floor().page_aligned());
    CHECK((address + 8) - address == 8);
    CHECK(address + 1 > address);
}

CONTRACT_CASE(access_is_a_set) {
    using hal::Access;
    const Access both = Access::read | Access::user;
    CHECK(has(both, Access::read) && has(both, Access::user));
    CHECK(!has(both, Access::write) && !has(both, Access::execute));
    CHECK(has(both, Access::none));
}

CONTRACT_CASE(empty_pending_flush_may_be_dropped) {
    hal::PendingFlush nothing;
    CHECK(nothing.empty());
    hal::PendingFlush something(hal::VirtAddr(0x5000), hal::PhysAddr(0x6000));
    CHECK(!something.empty() && something.page() == hal::VirtAddr(0x5000));
    hal::PendingFlush moved(std::move(something));
    CHECK(something.empty() && !moved.empty());  // moved from: empty by contract
    CHECK(moved.settle() == hal::PhysAddr(0x6000));
    CHECK(moved.empty());
}

CONTRACT_CASE(kernel_stacks_are_whole_pages) {
    CHECK(hal::kernel_stack_bytes % hal::page_bytes == 0);
    CHECK(hal::kernel_stack_bytes >= 2 * hal::page_bytes);
}

CONTRACT_GROUP(types)
