// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/address_space.hpp>

#include <algorithm>
#include <cstring>

namespace sim::unicorn {

namespace {
constexpr std::uint32_t error_present = 1, error_write = 2;  // page-fault error code, SDM 3A 4.7
constexpr std::uint64_t cr0_write_protect = 1u << 16, cr4_smap = 1u << 21;
}  // namespace

std::uint64_t AddressSpace::walk(std::uint64_t address) {
    const std::uint64_t page = address & -page_bytes;
    std::uint64_t physical = page;
    if (paging()) {
        const regs::WalkResult result = regs::walk(memory_, cpu_.state->cr[3], page);
        if (!result.mapped()) return unmapped;
        physical = result.physical;
    }
    entries_[slot(page)] = {page, physical};
    return physical + (address - page);
}

void AddressSpace::flush_page(std::uint64_t address) {
    // A large page has many entries here, all of which go.
    if (paging()) {
        const regs::WalkResult result = regs::walk(memory_, cpu_.state->cr[3], address);
        if (!result.mapped() || result.page_bytes() != page_bytes) return flush();
    }
    Entry& entry = entries_[slot(address & -page_bytes)];
    if (entry.page == (address & -page_bytes)) entry.page = no_page;
}

std::optional<PageFault> AddressSpace::reach(std::uint64_t address, bool write, std::uint64_t& physical) {
    if (!paging()) {
        physical = address;
        return std::nullopt;
    }
    const regs::WalkResult result = regs::walk(memory_, cpu_.state->cr[3], address);
    const std::uint32_t wanted = write ? error_write : 0;
    if (!result.mapped()) return PageFault{wanted, address};
    const bool protection = cpu_.state->cr[0] & cr0_write_protect;
    if ((write && !result.write && protection) || (result.user && (cpu_.state->cr[4] & cr4_smap)))
        return PageFault{wanted | error_present, address};
    std::uint64_t* leaf = memory_.table(result.table) + regs::paging::index(address, result.level);
    regs::store_entry(leaf, result.entry | regs::pte::accessed | (write ? regs::pte::dirty : 0));
    physical = result.physical;
    return std::nullopt;
}

template <typename Copy>
std::optional<PageFault> AddressSpace::access(std::uint64_t address, unsigned bytes, bool write, Copy copy) {
    const unsigned first = unsigned(std::min<std::uint64_t>(bytes, page_bytes - address % page_bytes));
    std::uint64_t physical[2] = {};
    if (auto fault = reach(address, write, physical[0])) return fault;
    if (first < bytes)
        if (auto fault = reach(address + first, write, physical[1])) return fault;
    for (unsigned part = 0; part < 2; ++part) {
        const unsigned offset = part ? first : 0, count = part ? bytes - first : first;
        if (!count) continue;
        if (memory_.contains(physical[part], count)) copy(memory_.data() + physical[part], offset, count);
        else outside_ = physical[part];
    }
    return std::nullopt;
}

std::optional<PageFault> AddressSpace::read(std::uint64_t address, void* to, unsigned bytes) {
    std::memset(to, 0xff, bytes);
    return access(address, bytes, false, [&](const std::uint8_t* at, unsigned offset, unsigned count) {
        std::memcpy(static_cast<std::uint8_t*>(to) + offset, at, count);
    });
}

std::optional<PageFault> AddressSpace::write(std::uint64_t address, const void* from, unsigned bytes) {
    return access(address, bytes, true, [&](std::uint8_t* at, unsigned offset, unsigned count) {
        std::memcpy(at, static_cast<const std::uint8_t*>(from) + offset, count);
    });
}

}  // namespace sim::unicorn
