// SPDX-License-Identifier: GPL-2.0-or-later
// How far predictions are from measurements: relative error of each, and how well the order is kept. Pure functions.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace devenv {

struct Pair {
    double measured = 0, predicted = 0;  // cycles; measured is above 0
};

// |predicted - measured| / measured
double relative_error(const Pair&);

struct Accuracy {
    std::size_t count = 0;
    double mean = 0, median = 0;        // of the relative errors, as fractions
    double within_10 = 0, over_25 = 0;  // shares of pairs with an error of at most 10 %, of more than 25 %
    double tau = 0;                     // Kendall's tau-b; 0 where one side is constant
};
Accuracy accuracy(std::span<const Pair>);  // all zero for no pairs

// Kendall's tau-b: -1 .. 1, corrected for ties on either side. O(n log n) (Knight, JASA 61, 1966).
double kendall_tau(std::span<const Pair>);

}  // namespace devenv
