// SPDX-License-Identifier: GPL-2.0-or-later
// The kinds of sequences, and what their writers share.
#pragma once
#include <sim/lockstep/sequences/emitter.hpp>
#include <span>
#include <string_view>

namespace sim::lockstep {

// Addresses that the guest gives (guest.S).
struct GuestPlaces {
    std::uint32_t resume, resume_rsp, stack_top, gdt_register, idt_register;
};
namespace place {
inline constexpr std::uint32_t scratch = 0x600000;  // a page to read and write
inline constexpr std::uint32_t absent = 0x601000, read_only = 0x602000, supervisor = 0x603000, no_execute = 0x604000;
inline constexpr std::uint32_t scratch2 = 0x605000;  // two pages, behind which an absent one follows
inline constexpr std::uint32_t scratch_end = 0x607000;
}  // namespace place

class SequenceWriter {
  public:
    SequenceWriter(Emitter& to, Random& random, const GuestPlaces& places) : e(to), r(random), guest(places) {}

    Emitter& e;
    Random& r;
    const GuestPlaces& guest;

    // Runs `body`, which emits one instruction; if that faults, the guest goes on behind it.
    template <typename Body>
    void guarded(Body body) {
        e.store(guest.resume, 0);
        const std::size_t hole = e.bytes().size() - 4;
        body();
        e.patch32(hole, std::uint32_t(e.here()));
    }

    unsigned reg();           // any general register but rsp
    unsigned bits();          // 8, 16, 32 or 64
    unsigned wide_bits();     // 16, 32 or 64
    std::uint64_t value();    // interesting or random
    Operand operand();        // register, or memory in scratch
    Operand memory();         // in scratch, any alignment
    void random_registers();  // all but rsp
    void random_flags(bool direction = false);
};

struct SequenceKind {
    std::string_view name;
    void (*write)(SequenceWriter&, unsigned variant);  // `variant`: how many of this kind came before
};

std::span<const SequenceKind> integer_kinds();
std::span<const SequenceKind> vector_kinds();
std::span<const SequenceKind> system_kinds();
std::span<const SequenceKind> descriptor_kinds();

}  // namespace sim::lockstep
