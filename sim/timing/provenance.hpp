// SPDX-License-Identifier: GPL-2.0-or-later
// Where a number comes from. Every cost and every size of a modelled CPU carries it, and totals say how much of them
// rests on estimates.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

// placeholder: nobody gave a cost at all; what is assumed then. scheduling: LLVM's scheduling data has it. definition:
// of an ideal CPU.
enum class Provenance : std::uint8_t { measured, published, estimate, placeholder, scheduling, definition, count_ };
std::string_view provenance_name(Provenance);
// Whether totals count it as a guess.
constexpr bool is_guess(Provenance provenance) {
    return provenance == Provenance::estimate || provenance == Provenance::placeholder;
}
inline constexpr std::size_t provenance_count = static_cast<std::size_t>(Provenance::count_);

namespace timing {

struct Evidence {
    Provenance provenance = Provenance::placeholder;
    std::string text;                   // the series of measurements, the citation, or why it is estimated so
    std::vector<std::string> patterns;  // measured: which of the series' patterns show it
};

using ProvenanceCounts = std::array<unsigned, 4>;  // by Provenance, of those that a file can give

// A data file that cannot be used: the file, the entry and the field, and what is wrong with it, in one line.
struct DataError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace timing
}  // namespace sim
