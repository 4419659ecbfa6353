// SPDX-License-Identifier: GPL-2.0-or-later
// A set-associative store that knows only which lines it holds and a few flags of each: caches of data, code,
// translations and branch targets are made of it. A set keeps its lines most recent first, so that true LRU costs
// nothing on a hit in the first place, which is the usual one.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace sim {

inline constexpr unsigned line_bits = 6;

class Cache {
  public:
    // An entry is a line number with flags in its top bits, whose meaning is the user's.
    using Entry = std::uint64_t;
    static constexpr unsigned flag_bits = 4;
    static constexpr std::uint64_t line_mask = ~0ull >> flag_bits, no_line = line_mask;
    static constexpr Entry flag(unsigned number) { return 1ull << (63 - number); }

    // entries / ways sets, rounded down to a power of two.
    Cache(std::uint64_t entries, unsigned ways)
        : ways_(std::max(ways, 1u)),
          set_mask_(std::bit_floor(std::max<std::uint64_t>(entries / ways_, 1)) - 1),
          entries_(ways_ * (set_mask_ + 1), no_line) {}

    // The line's entry, now the most recent of its set, or null. Valid until the next insert.
    Entry* find(std::uint64_t line) {
        Entry* set = set_of(line);
        if (((set[0] ^ line) & line_mask) == 0) return set;
        return find_further(set, line);
    }
    // The same without making it recent.
    Entry* peek(std::uint64_t line) {
        Entry* set = set_of(line);
        for (unsigned way = 0; way < ways_; ++way)
            if (((set[way] ^ line) & line_mask) == 0) return set + way;
        return nullptr;
    }
    // A line that is not there; returns the entry that left for it (no_line: none).
    Entry insert(std::uint64_t line, Entry flags = 0) {
        Entry* set = set_of(line);
        const Entry victim = set[ways_ - 1];
        std::copy_backward(set, set + ways_ - 1, set + ways_);
        set[0] = line | flags;
        return victim;
    }
    // Whether it was there; it is now.
    bool touch(std::uint64_t line) {
        if (find(line)) return true;
        insert(line);
        return false;
    }
    // Returns the entry that was removed, or no_line.
    Entry remove(std::uint64_t line) {
        Entry* const found = peek(line);
        if (!found) return no_line;
        const Entry entry = *found;
        Entry* const end = set_of(line) + ways_;
        std::copy(found + 1, end, found);
        end[-1] = no_line;
        return entry;
    }
    void clear() { std::fill(entries_.begin(), entries_.end(), Entry{no_line}); }

  private:
    Entry* set_of(std::uint64_t line) { return &entries_[ways_ * (line & set_mask_)]; }
    Entry* find_further(Entry* set, std::uint64_t line) {
        for (unsigned way = 1; way < ways_; ++way)
            if (const Entry here = set[way]; ((here ^ line) & line_mask) == 0) {
                std::copy_backward(set, set + way, set + way + 1);
                set[0] = here;
                return set;
            }
        return nullptr;
    }

    std::uint64_t ways_, set_mask_;
    std::vector<Entry> entries_;
};

}  // namespace sim
