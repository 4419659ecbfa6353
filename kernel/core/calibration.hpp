// SPDX-License-Identifier: MIT
// From ticks of the time stamp to core cycles, by a chain of dependent additions timed beside each batch: whatever the
// core's clock is just then, an addition is one cycle. Pure.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

namespace exo {

// Thousandths of a core cycle an instruction, chain_adds at most 4096; 0 if the chain took no time, or the batch not
// more than the empty loop.
constexpr std::uint64_t core_millicycles(std::uint64_t ticks, std::uint64_t empty, std::uint64_t count,
                                         std::uint64_t chain_ticks, std::uint64_t chain_adds) {
    if (chain_ticks == 0 || count == 0 || ticks <= empty) return 0;
    constexpr std::uint64_t ticks_most = 1ull << 42;  // of a batch that stood still for half an hour: it is no figure
    if (ticks - empty > ticks_most) return core_millicycles(ticks_most, 0, count, chain_ticks, chain_adds);
    return (ticks - empty) * 1000 * chain_adds / (count * chain_ticks);
}

struct Spread {
    std::uint64_t least = 0, median = 0, high = 0;  // high: one batch in ten takes longer
    bool operator==(const Spread&) const = default;
};

// Of one value a batch; sorts them. Zeros of no values.
constexpr Spread spread_of(std::span<std::uint64_t> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    return {values.front(), values[values.size() / 2], values[(values.size() * 9 - 1) / 10]};
}

}  // namespace exo
