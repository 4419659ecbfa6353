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
    return {i.address, {begin, end}, times, step.first_index + (instruction - step.first)};
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

std::uint64_t Trail::window_instructions() const {
    std::uint64_t sum = 0;
    each([&](const Step& step) { return sum += step.count, true; });
    return sum;
}

}  // namespace devenv
