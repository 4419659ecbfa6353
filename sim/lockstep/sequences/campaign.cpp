// SPDX-License-Identifier: GPL-2.0-or-later
#include <fstream>
#include <sim/engine.hpp>
#include <sim/lockstep/sequences/sequences.hpp>
#include <sim/process/temporary_folder.hpp>

namespace sim::lockstep {

namespace {

void write_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
    file.close();
    if (!file) throw EngineError(path.string() + ": cannot be written; is the disk full?");
}

// The sequence that made a difference: the one whose instruction is the last of any.
const Sequence* culprit(const SequenceImage& generated, const Difference& difference) {
    for (auto one = difference.last.rbegin(); one != difference.last.rend(); ++one)
        if (const Sequence* sequence = generated.at(one->address)) return sequence;
    return nullptr;
}

}  // namespace

SequencesResult run_sequences(LockstepConfig config, const std::filesystem::path& guest, unsigned count,
                              std::uint64_t seed) {
    const auto image_of_guest = Image::load(guest);
    const TemporaryFolder folder;
    const std::filesystem::path path = folder.path() / "sequences.elf";
    SequencesResult result;
    std::set<unsigned> left_out;
    for (;;) {
        SequenceImage generated = generate_sequences(*image_of_guest, count, seed, left_out);
        write_file(path, generated.elf);
        const auto image = Image::load(path);
        config.image = image.get();
        config.image_path = path;
        result.last = run_lockstep(config);
        result.sequences = generated.sequences;
        const Sequence* found = result.last.difference ? culprit(generated, *result.last.difference) : nullptr;
        if (!found || result.last.run.stop == StopReason::interrupted) return result;
        left_out.insert(found->number);
        result.differences.push_back({*found, *result.last.difference});
        result.given_up = result.differences.size() == differences_most;
        if (result.given_up) return result;
    }
}

}  // namespace sim::lockstep
