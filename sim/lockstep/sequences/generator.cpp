// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstring>
#include <sim/lockstep/sequences/kinds.hpp>
#include <sim/lockstep/sequences/sequences.hpp>

namespace sim::lockstep {

namespace {

std::uint32_t symbol(const Image& guest, std::string_view name) {
    const auto found = guest.symbol(name);
    if (!found || *found >> 32)
        throw ImageError(guest.name() + ": it has no symbol " + std::string(name) +
                         ": it is not the guest that runs sequences; build exo_sequences_guest");
    return std::uint32_t(*found);
}

std::vector<const SequenceKind*> all_kinds() {
    std::vector<const SequenceKind*> result;
    for (const auto kinds : {integer_kinds(), vector_kinds(), system_kinds(), descriptor_kinds()})
        for (const SequenceKind& kind : kinds) result.push_back(&kind);
    return result;
}

// Begins with a stack of its own, so that it does not depend on those before it for that.
void begin(Emitter& e, const GuestPlaces& places) {
    e.raw({0x48, 0xc7, 0xc4});  // mov rsp, stack_top - 512
    e.number(places.stack_top - 512, 4);
    e.store(places.resume_rsp, places.stack_top - 512);
}

std::size_t file_offset(const Image& guest, std::uint64_t address, std::size_t bytes) {
    for (const Segment& segment : guest.segments()) {
        if (address < segment.physical_address || address - segment.physical_address + bytes > segment.bytes.size())
            continue;
        return std::size_t(segment.bytes.data() - guest.bytes().data()) + (address - segment.physical_address);
    }
    throw ImageError(guest.name() + ": so many sequences do not fit into it; ask for fewer");
}

}  // namespace

const Sequence* SequenceImage::at(std::uint64_t address) const {
    const auto found = std::find_if(sequences.begin(), sequences.end(),
                                    [&](const Sequence& it) { return address >= it.first && address < it.last; });
    return found == sequences.end() ? nullptr : &*found;
}

SequenceImage generate_sequences(const Image& guest, unsigned count, std::uint64_t seed,
                                 const std::set<unsigned>& left_out) {
    const GuestPlaces places{symbol(guest, "resume"), symbol(guest, "resume_rsp"), symbol(guest, "stack_top"),
                             symbol(guest, "gdt_register"), symbol(guest, "idt_register")};
    const std::uint64_t first = symbol(guest, "sequences");
    const auto kinds = all_kinds();
    Emitter all(first);
    SequenceImage result;
    Random seeds(seed);
    for (unsigned number = 0; number < count; ++number) {
        Random random(seeds.next());
        Sequence sequence{.number = number,
                          .seed = seed,
                          .kind = std::string(kinds[number % kinds.size()]->name),
                          .first = all.here(),
                          .last = 0};
        const std::size_t start = all.bytes().size();
        all.raw({0x90, 0x90, 0x90, 0x90, 0x90});  // room for a jump over it
        begin(all, places);
        SequenceWriter writer(all, random, places);
        kinds[number % kinds.size()]->write(writer, unsigned(number / kinds.size()));
        sequence.last = all.here();
        if (left_out.contains(number)) all.overwrite(start, 0xe9, std::uint32_t(sequence.last - sequence.first - 5));
        result.sequences.push_back(std::move(sequence));
    }
    all.jump(symbol(guest, "done"));
    result.elf.assign(guest.bytes().begin(), guest.bytes().end());
    const std::size_t offset = file_offset(guest, first, all.bytes().size());
    if (first + all.bytes().size() > symbol(guest, "sequences_end")) file_offset(guest, ~0ull, 1);
    std::copy(all.bytes().begin(), all.bytes().end(), result.elf.begin() + std::ptrdiff_t(offset));
    return result;
}

}  // namespace sim::lockstep
