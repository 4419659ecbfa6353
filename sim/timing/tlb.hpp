// SPDX-License-Identifier: GPL-2.0-or-later
// Which translations a CPU holds: a small fully associative first level (second-chance replacement) and a
// set-associative second.
//
// The events do not tell the size of a page. Taken for 2 MiB: a page whose virtual and physical addresses are equal
// modulo 2 MiB, outside the top 2 GiB of the address space, where kernels link their images and map them in 4 KiB pages
// (direct maps and identity maps are of this kind; a 4 KiB page is by chance one time in 512). All others are of 4 KiB.
// The upper half is taken for global and for common to all address spaces.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <sim/timing/cache.hpp>
#include <vector>

namespace sim::timing {

// The address space at hand, as CR3 and CR4 say. A tag takes the place of flushing: translations of an earlier tag are
// never found again.
class AddressSpace {
  public:
    // CR3 was written. Whether it kept the translations of its PCID (bit 63) is not in the event: with CR4.PCIDE it is
    // taken to have kept them, since that is what PCIDs are for.
    void switch_to(std::uint64_t cr3) {
        root_ = cr3 & 0x000ffffffffff000;
        if (cr4_ & pcide) tag_ = 0x4000 | (cr3 & 0xfff);
        else tag_ = ++generation_ & 0x3fff;
        if (!(cr4_ & pge)) upper_tag_ = tag_;
    }
    void set_cr4(std::uint64_t cr4) { cr4_ = cr4; }
    // Of an address: which translations can be its own.
    std::uint64_t tag(std::uint64_t address) const { return address >> 63 ? upper_tag_ : tag_; }
    // Physical address of the table that the walk starts at; one for the whole upper half.
    std::uint64_t root(std::uint64_t address) const { return address >> 63 ? 0 : root_; }

  private:
    static constexpr std::uint64_t pge = 1u << 7, pcide = 1u << 17;
    std::uint64_t cr4_ = 0, root_ = 0, tag_ = 0, upper_tag_ = 0, generation_ = 0;
};

// A linear address has at most 57 bits of its own, the others repeat the last.
inline constexpr std::uint64_t linear_bits = (1ull << 57) - 1;

struct Page {
    std::uint64_t key;
    bool large;
};

inline Page page_of(const AddressSpace& space, std::uint64_t virtual_address, bool large) {
    return {(virtual_address & linear_bits) >> (large ? 21 : 12) | space.tag(virtual_address) << 45, large};
}
inline Page page_of(const AddressSpace& space, std::uint64_t virtual_address, std::uint64_t physical_address) {
    const bool large = ((virtual_address ^ physical_address) & 0x1fffff) == 0 && virtual_address < 0xffffffff80000000;
    return page_of(space, virtual_address, large);
}

class Tlb {
  public:
    Tlb(unsigned first, unsigned second, unsigned second_ways)
        : keys_(std::clamp(first, 1u, 256u), no_key), recent_(keys_.size()), second_(second, second_ways) {}

    // In the first level. Fast: a guess of its place, right but for collisions.
    bool hit(Page page) {
        const std::uint64_t key = tagged(page);
        const unsigned place = guess_[guess_of(key)];
        if (keys_[place] != key) return false;
        recent_[place] = 1;
        return true;
    }
    enum class Level { first, second, none };
    // For a page that hit() did not find. It is in both levels afterwards.
    Level look_up(Page page) {
        const std::uint64_t key = tagged(page);
        for (std::size_t place = 0; place < keys_.size(); ++place)
            if (keys_[place] == key) {
                recent_[place] = 1;
                guess_[guess_of(key)] = static_cast<std::uint8_t>(place);
                return Level::first;
            }
        while (recent_[hand_]) recent_[hand_] = 0, hand_ = (hand_ + 1) % keys_.size();
        keys_[hand_] = key;
        guess_[guess_of(key)] = static_cast<std::uint8_t>(hand_);
        hand_ = (hand_ + 1) % keys_.size();
        return second_.touch(key) ? Level::second : Level::none;
    }
    void drop(Page page) {
        const std::uint64_t key = tagged(page);
        std::replace(keys_.begin(), keys_.end(), key, no_key);
        second_.remove(key);
    }
    void clear() {
        std::fill(keys_.begin(), keys_.end(), no_key);
        second_.clear();
    }

  private:
    static constexpr std::uint64_t no_key = ~0ull;
    // Below Cache::line_mask, and with the page number in the low bits, which choose the set.
    static std::uint64_t tagged(Page page) { return page.key ^ std::uint64_t{page.large} << 44; }
    static std::size_t guess_of(std::uint64_t key) { return (key ^ key >> 8) & 255; }

    std::vector<std::uint64_t> keys_;   // at most 256
    std::vector<std::uint8_t> recent_;  // used since the hand went by
    std::array<std::uint8_t, 256> guess_{};
    std::size_t hand_ = 0;
    Cache second_;
};

}  // namespace sim::timing
