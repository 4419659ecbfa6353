// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/trail.hpp>
#include <map>

namespace devenv {

template <typename Visit>
void Trail::each(Visit visit) const {
    const std::uint64_t kept = std::min<std::uint64_t>(blocks_, steps_.size());
    for (std::uint64_t back = 1; back <= kept; ++back) {
        if (!visit(steps_[(blocks_ - back) % steps_.size()])) return;
    }
}

Trail::Spot Trail::spot(const Step& step, std::uint32_t instruction, std::uint64_t times) {
    const sim::Instruction& i = step.code->instructions[instruction];
    const std::size_t offset = i.address - step.code->address;
    const auto& bytes = step.code->bytes;
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(offset, bytes.size()));
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(offset + i.length, bytes.size()));
    return {i.address, {begin, end}, times, step.first_index + (instruction - step.first), i.code_bits};
}

std::vector<Trail::Spot> Trail::last(std::size_t count) const {
    std::vector<Spot> spots;
    each([&](const Step& step) {
        for (std::uint32_t i = step.first + step.count; i > step.first && spots.size() < count; --i) {
            spots.push_back(spot(step, i - 1, 1));
        }
        return spots.size() < count;
    });
    std::reverse(spots.begin(), spots.end());
    return spots;
}

std::vector<Trail::Spot> Trail::hottest(std::size_t count) const {
    std::map<std::uint64_t, Spot> by_address;
    each([&](const Step& step) {
        for (std::uint32_t i = step.first; i < step.first + step.count; ++i) {
            const auto [at, fresh] = by_address.try_emplace(step.code->instructions[i].address);
            if (fresh) at->second = spot(step, i, 0);
            ++at->second.times;
        }
        return true;
    });
    std::vector<Spot> spots;
    for (auto& [address, spot] : by_address) spots.push_back(std::move(spot));
    std::stable_sort(spots.begin(), spots.end(), [](const Spot& a, const Spot& b) { return a.times > b.times; });
    spots.resize(std::min(spots.size(), count));
    return spots;
}

std::optional<std::uint64_t> Trail::loop_instructions() const {
    if (blocks_ < steps_.size()) return std::nullopt;
    constexpr std::size_t longest = std::tuple_size_v<decltype(steps_)> / 16;  // blocks: at least 16 passes
    const auto same = [](const Step& a, const Step& b) {
        return a.code == b.code && a.first == b.first && a.count == b.count;
    };
    // Oldest first; where the ring buffer wraps does not matter for a period, but the seam must be at its start.
    std::vector<Step> steps(steps_.begin(), steps_.end());
    std::ranges::rotate(steps, steps.begin() + static_cast<std::ptrdiff_t>(blocks_ % steps.size()));
    // The newest block may have been cut short by the limit, the oldest one entered in its middle.
    const std::span<const Step> whole = std::span<const Step>(steps).subspan(1, steps.size() - 2);
    for (std::size_t period = 1; period <= longest; ++period) {
        if (!std::equal(whole.begin() + static_cast<std::ptrdiff_t>(period), whole.end(), whole.begin(), same))
            continue;
        std::uint64_t sum = 0;
        for (const Step& step : whole.first(period)) sum += step.count;
        return sum;
    }
    return std::nullopt;
}

std::uint64_t Trail::window_instructions() const {
    std::uint64_t sum = 0;
    each([&](const Step& step) { return sum += step.count, true; });
    return sum;
}

}  // namespace devenv
