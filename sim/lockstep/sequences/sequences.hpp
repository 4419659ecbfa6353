// SPDX-License-Identifier: GPL-2.0-or-later
// Short instruction sequences from a seed, for the guest of guest.S: what kernels use and what engines get wrong. Every
// instruction may fault: the guest's handlers record it and go on with the next one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <sim/image/image.hpp>
#include <sim/lockstep/lockstep.hpp>
#include <string>
#include <vector>

namespace sim::lockstep {

struct Sequence {
    unsigned number;
    std::uint64_t seed;         // of this one
    std::string kind;           // "shifts"
    std::uint64_t first, last;  // addresses: where it begins, and behind its end
};

struct SequenceImage {
    std::vector<std::uint8_t> elf;
    std::vector<Sequence> sequences;  // in order
    const Sequence* at(std::uint64_t address) const;
};

// `count` sequences of `seed`, kind after kind; those in `left_out` keep their place but are jumped over. Throws
// ImageError if the guest is not the one that this was built with.
SequenceImage generate_sequences(const Image& guest, unsigned count, std::uint64_t seed,
                                 const std::set<unsigned>& left_out = {});
inline constexpr unsigned sequences_most = 2000;

struct SequenceDifference {
    Sequence sequence;
    Difference difference;
};

struct SequencesResult {
    std::vector<Sequence> sequences;
    std::vector<SequenceDifference> differences;  // in order of number
    bool given_up = false;                        // after `differences_most`: what comes after the last is not known
    LockstepResult last;                          // of the last run: the one in which the others were equal
};
inline constexpr std::size_t differences_most = 10;

// Runs them in lockstep. One that differs is noted and left out of the next run, until the rest is equal. Of `config`
// the image and its path are not used. Throws EngineError, ImageError, ProcessError.
SequencesResult run_sequences(LockstepConfig config, const std::filesystem::path& guest, unsigned count,
                              std::uint64_t seed);

}  // namespace sim::lockstep
