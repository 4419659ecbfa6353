// SPDX-License-Identifier: MIT
// New contexts, and kernel stacks in their window: a block of N frames whose first is number f takes 2N pages at
// HAL_STACK_WINDOW + 2f pages, the lower half unmapped as the guard. Disjoint blocks get disjoint addresses for
// nothing.
#include <hal/context.hpp>
#include <regs/page_table.hpp>

extern "C" void hal_context_start();

namespace hal {

Context context_make(std::span<std::byte> stack, ContextEntry entry, void* argument) {
    const auto top = reinterpret_cast<std::uint64_t>(stack.data() + stack.size()) & ~std::uint64_t{15};
    auto* words = reinterpret_cast<std::uint64_t*>(top) - 2;
    words[0] = reinterpret_cast<std::uint64_t>(argument);  // popped by hal_context_start
    words[1] = reinterpret_cast<std::uint64_t>(entry);
    return {reinterpret_cast<std::uint64_t>(words), reinterpret_cast<std::uint64_t>(&hal_context_start)};
}

std::span<std::byte> map_kernel_stack(PhysAddr block, std::size_t pages, TableFrames& frames) {
    const VirtAddr window{std::uint64_t{HAL_STACK_WINDOW} + 2 * block.value()};
    const VirtAddr usable = window + pages * page_bytes;
    for (std::size_t i = 0; i < pages; ++i) {
        const std::uint64_t offset = i * page_bytes;
        if (map(kernel_page_table(), usable + offset, block + offset, Access::read | Access::write, frames) ==
            MmuResult::ok)
            continue;
        unmap_kernel_stack({reinterpret_cast<std::byte*>(usable.value()), i * page_bytes}, block, i);
        return {};
    }
    return {reinterpret_cast<std::byte*>(usable.value()), pages * page_bytes};
}

void unmap_kernel_stack(std::span<std::byte> stack, PhysAddr, std::size_t pages) {
    for (std::size_t i = 0; i < pages; ++i) {
        const VirtAddr page{reinterpret_cast<std::uint64_t>(stack.data()) + i * page_bytes};
        flush(unmap(kernel_page_table(), page));
    }
}

}  // namespace hal
