// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks of code with what they took on hardware, and the files they come from: data/zen4-blocks.csv's kind (columns
// hex and cycles_per_iteration) and data/zen4-micro.tsv's (columns what, cycles, assembly_intel_syntax).
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

struct Sample {
    std::string name;                // the hex digits of a block, what a pattern is about
    std::string assembly;            // Intel syntax, of a pattern
    std::vector<std::uint8_t> code;  // empty while `assembly` has not been assembled
    double measured = 0;             // cycles an iteration; 0: not measured
    double spread = 0;               // between the two passes that agreed, as a fraction
    double unrolled = 0, loop = 0;   // of a measurement here: straight on, and in a loop
    std::string flags, source;
    std::string excluded;  // why it does not count; empty: it does
};

struct SampleSet {
    std::string name;  // of the file
    std::vector<Sample> samples;
    bool patterns = false;  // with assembly
};

// `cycles`: the column must be there and above 0; without it hex or assembly alone will do. Throws Failure (usage) with
// file and line for a file that is damaged anywhere.
SampleSet read_samples(const std::filesystem::path&, bool cycles);

// Writes what was measured, in the form that read_samples reads: all sets of one kind, without those that are excluded.
// Throws Failure if it cannot be written.
void write_samples(const std::filesystem::path&, const std::vector<SampleSet>&);

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view digits);  // at least one byte
std::string to_hex(const std::vector<std::uint8_t>&);

// Fills `code` of patterns with the GNU assembler, all in one run; those it refuses are excluded, with its reason.
// Throws Failure (missing) if there is no assembler.
void assemble(SampleSet&);

}  // namespace devenv
