// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <devenv/validation/statistics.hpp>
#include <tuple>

namespace devenv {

namespace {

double pairs_among(std::uint64_t count) { return static_cast<double>(count) * static_cast<double>(count - 1) / 2; }

// Of a sorted sequence: pairs of equal elements.
template <typename T, typename Same>
double tied(const std::vector<T>& sorted, Same same) {
    double all = 0;
    for (std::size_t i = 0; i < sorted.size();) {
        std::size_t end = i + 1;
        while (end < sorted.size() && same(sorted[i], sorted[end])) ++end;
        all += pairs_among(end - i);
        i = end;
    }
    return all;
}

// Merge sort that counts how many neighbours a bubble sort would exchange.
std::uint64_t sort_counting(std::vector<double>& values, std::vector<double>& scratch, std::size_t begin,
                            std::size_t end) {
    if (end - begin < 2) return 0;
    const std::size_t middle = begin + (end - begin) / 2;
    std::uint64_t exchanges =
        sort_counting(values, scratch, begin, middle) + sort_counting(values, scratch, middle, end);
    for (std::size_t left = begin, right = middle, to = begin; to < end; ++to) {
        const bool from_right = left == middle || (right < end && values[right] < values[left]);
        if (from_right) exchanges += middle - left;
        scratch[to] = values[from_right ? right++ : left++];
    }
    std::copy(scratch.begin() + std::ptrdiff_t(begin), scratch.begin() + std::ptrdiff_t(end),
              values.begin() + std::ptrdiff_t(begin));
    return exchanges;
}

}  // namespace

double relative_error(const Pair& pair) { return std::abs(pair.predicted - pair.measured) / pair.measured; }

double kendall_tau(std::span<const Pair> pairs) {
    if (pairs.size() < 2) return 0;
    std::vector<Pair> sorted(pairs.begin(), pairs.end());
    std::sort(sorted.begin(), sorted.end(), [](const Pair& a, const Pair& b) {
        return std::tie(a.measured, a.predicted) < std::tie(b.measured, b.predicted);
    });
    const auto same_measured = [](const Pair& a, const Pair& b) { return a.measured == b.measured; };
    const auto same_both = [](const Pair& a, const Pair& b) {
        return a.measured == b.measured && a.predicted == b.predicted;
    };
    const double ties_measured = tied(sorted, same_measured), ties_both = tied(sorted, same_both);
    std::vector<double> predicted, scratch(sorted.size());
    for (const Pair& pair : sorted) predicted.push_back(pair.predicted);
    const auto discordant = static_cast<double>(sort_counting(predicted, scratch, 0, predicted.size()));
    const double ties_predicted = tied(predicted, [](double a, double b) { return a == b; });
    const double all = pairs_among(sorted.size());
    const double concordant = all - ties_measured - ties_predicted + ties_both - discordant;
    const double scale = std::sqrt((all - ties_measured) * (all - ties_predicted));
    return scale > 0 ? (concordant - discordant) / scale : 0;
}

Accuracy accuracy(std::span<const Pair> pairs) {
    Accuracy result;
    result.count = pairs.size();
    if (pairs.empty()) return result;
    std::vector<double> errors;
    for (const Pair& pair : pairs) errors.push_back(relative_error(pair));
    std::sort(errors.begin(), errors.end());
    const auto count = static_cast<double>(errors.size());
    for (const double error : errors) {
        result.mean += error / count;
        if (error <= 0.10) result.within_10 += 1 / count;
        if (error > 0.25) result.over_25 += 1 / count;
    }
    const std::size_t half = errors.size() / 2;
    result.median = errors.size() % 2 ? errors[half] : (errors[half - 1] + errors[half]) / 2;
    result.tau = kendall_tau(pairs);
    return result;
}

}  // namespace devenv
