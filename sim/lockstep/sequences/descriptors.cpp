// SPDX-License-Identifier: GPL-2.0-or-later
// Sequences of a local descriptor table and of single steps (SDM 3A 3.5.1, SDM 3B 17.3.1.4).
#include <array>
#include <sim/lockstep/sequences/kinds.hpp>

namespace sim::lockstep {

namespace {

using Writer = SequenceWriter;

constexpr unsigned ldt_selector = 0x60;

// What guest.S has in the table: data, data to read by ring 3, absent data, code to execute only, conforming code; then
// the null entry, one beyond the limit, and the same with ring 3 asked for.
unsigned local_selector(Writer& w) {
    return w.r.pick({0x0cu, 0x17u, 0x14u, 0x1cu, 0x24u, 0x2cu, 0x2fu, 0x04u, 0x34u, 0x0fu});
}

void local_table(Writer& w, unsigned) {
    w.random_registers();
    w.e.load(0, ldt_selector);
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x00}, 2, Operand::reg(0)); });  // lldt
    for (unsigned i = 0; i < 14; ++i) {
        w.e.load(0, local_selector(w));
        w.random_flags();
        w.guarded([&] {
            switch (w.r.below(5)) {
                case 0:  // mov to es, ds, fs, gs
                    return w.e.raw({0x8e, 0xc0 | w.r.pick({0u, 3u, 4u, 5u}) << 3});
                case 1:
                    return w.e.raw({0x8e, 0xd0});  // mov to ss
                case 2:                            // lar, lsl
                    return w.e.modrm(w.wide_bits(), {0x0f, 0x02 + w.r.below(2)}, w.r.pick({1u, 2u, 8u}),
                                     Operand::reg(0));
                case 3:  // verr, verw
                    return w.e.modrm(32, {0x0f, 0x00}, 4 + w.r.below(2), Operand::reg(0));
                default:  // sldt
                    return w.e.modrm(w.wide_bits(), {0x0f, 0x00}, 0, Operand::reg(w.reg()));
            }
        });
    }
    w.e.raw({0x31, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0});
    w.e.load(0, 0);
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x00}, 2, Operand::reg(0)); });  // lldt 0
    w.e.load(0, local_selector(w));                                       // in no table at all
    w.guarded([&] { w.e.raw({0x8e, 0xd8}); });
    w.e.raw({0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8});
}

// POPF sets TF: #DB comes behind the next instruction, whose exception comes first if it has one.
void single_steps(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 10; ++i) {
        w.guarded([&] {
            w.e.flags(0x102 | unsigned(w.r.next() & 0x8d5));
            switch (w.r.below(5)) {
                case 0:
                    return w.e.modrm(w.wide_bits(), {0x01}, w.r.pick({1u, 2u, 8u}), Operand::reg(w.r.pick({0u, 3u})));
                case 1:
                    return w.e.modrm(64, {0x89}, w.r.pick({0u, 1u}), w.memory());
                case 2:
                    return w.e.modrm(64, {0x8b}, 0, Operand::at(place::absent));  // #PF
                case 3:
                    return w.e.raw({0x0f, 0x0b});  // ud2
                default:
                    return w.e.raw({0x90});
            }
        });
        w.e.flags(2);
    }
}

constexpr std::array kinds{SequenceKind{"local-descriptors", local_table}, SequenceKind{"single-steps", single_steps}};

}  // namespace

std::span<const SequenceKind> descriptor_kinds() { return kinds; }

}  // namespace sim::lockstep
