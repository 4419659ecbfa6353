// SPDX-License-Identifier: GPL-2.0-or-later
// Sequences of ordinary instructions: arithmetic, shifts, bits, multiplication, atomics, strings, the stack.
#include <algorithm>
#include <array>
#include <sim/lockstep/sequences/kinds.hpp>

namespace sim::lockstep {

unsigned SequenceWriter::reg() {
    const unsigned number = r.below(15);
    return number < 4 ? number : number + 1;
}
unsigned SequenceWriter::bits() { return r.pick({8u, 16u, 32u, 64u}); }
unsigned SequenceWriter::wide_bits() { return r.pick({16u, 32u, 64u}); }

std::uint64_t SequenceWriter::value() {
    switch (r.below(6)) {
        case 0:
            return r.below(3);
        case 1:
            return ~0ull << r.below(64);
        case 2:
            return (1ull << r.below(64)) - r.below(2);
        case 3: {
            const unsigned width = r.pick({8u, 16u, 32u, 64u});
            return (1ull << (width - 1)) - r.below(2);
        }
        case 4:
            return 0x0101'0101'0101'0101ull * r.below(256);
        default:
            return r.next();
    }
}

Operand SequenceWriter::memory() { return Operand::at(place::scratch + 256 + r.below(2048)); }
Operand SequenceWriter::operand() { return r.chance(3) ? memory() : Operand::reg(reg()); }

void SequenceWriter::random_registers() {
    for (unsigned number = 0; number < 16; ++number)
        if (number != 4) e.load(number, value());
}

void SequenceWriter::random_flags(bool direction) {
    constexpr std::uint32_t arithmetic = 0x8d5, df = 0x400;
    e.flags((std::uint32_t(r.next()) & (arithmetic | (direction ? df : 0))) | 2);
}

namespace {

using Writer = SequenceWriter;

// An immediate as wide as the operand, 32 bits at most.
void immediate(Writer& w, unsigned bits) { w.e.number(w.value(), std::min(bits, 32u) / 8); }

void arithmetic_step(Writer& w) {
    const unsigned bits = w.bits(), operation = w.r.below(8), wide = bits > 8;
    switch (w.r.below(12)) {
        case 0:
        case 1:
            return w.e.modrm(bits, {operation * 8 + wide}, w.reg(), w.operand());
        case 2:
            return w.e.modrm(bits, {operation * 8 + 2 + wide}, w.reg(), w.operand());
        case 3:
            w.e.modrm(bits, {0x80 + wide}, operation, w.operand());
            return immediate(w, bits);
        case 4:
            w.e.modrm(bits > 8 ? bits : 16, {0x83}, operation, w.operand());
            return w.e.number(w.value(), 1);
        case 5:
            return w.e.modrm(bits, {0xfe + wide}, w.r.below(2), w.operand());  // inc, dec
        case 6:
            return w.e.modrm(bits, {0xf6 + wide}, 2 + w.r.below(2), w.operand());  // not, neg
        case 7:
            return w.e.modrm(bits, {0x84 + wide}, w.reg(), w.operand());  // test
        case 8:
            return w.r.chance(2)
                       ? w.e.modrm(8, {0x0f, 0x90 + w.r.below(16)}, 0, w.operand())                     // setcc
                       : w.e.modrm(w.wide_bits(), {0x0f, 0x40 + w.r.below(16)}, w.reg(), w.operand());  // cmov
        case 9:
            return w.e.modrm(w.wide_bits(), {0x0f, w.r.pick({0xb6u, 0xbeu, 0xb7u, 0xbfu})}, w.reg(), w.operand());
        case 10:
            return w.e.raw({w.r.pick({0xf5u, 0xf8u, 0xf9u, 0x9eu, 0x9fu, 0x98u, 0x99u})});
        default:
            if (w.r.chance(2)) return w.e.modrm(64, {0x63}, w.reg(), w.operand());  // movsxd
            const unsigned target = w.reg();
            return w.e.raw({0x48 | target >> 3, 0x0f, 0xc8 | (target & 7)});  // bswap
    }
}

template <typename Step>
void steps(Writer& w, unsigned count, Step step) {
    w.random_registers();
    for (unsigned i = 0; i < count; ++i) {
        if (w.r.chance(4)) w.random_flags();
        w.guarded([&] { step(w); });
    }
}

void arithmetic(Writer& w, unsigned) { steps(w, 24, arithmetic_step); }

// Every count once: the variant gives it.
void shifts(Writer& w, unsigned variant) {
    const unsigned count = variant % 65;
    steps(w, 24, [&](Writer& it) {
        const unsigned bits = it.bits(), wide = bits > 8, operation = it.r.below(8);
        if (it.r.chance(5)) {
            it.e.modrm(it.wide_bits(), {0x0f, it.r.pick({0xa4u, 0xacu})}, it.reg(), it.operand());  // shld, shrd
            return it.e.number(count, 1);
        }
        it.e.modrm(bits, {0xc0 + wide}, operation, it.operand());
        it.e.number(count, 1);
    });
    w.random_registers();
    w.e.load(1, count | (w.value() & ~0xffull));
    for (unsigned i = 0; i < 8; ++i) {
        w.random_flags();
        const unsigned bits = w.bits(), target = w.r.pick({0u, 2u, 3u, 6u, 8u, 15u});
        w.guarded([&] {
            w.r.chance(4) ? w.e.modrm(bits, {0xd0u + (bits > 8)}, w.r.below(8), Operand::reg(target))
                          : w.e.modrm(bits, {0xd2u + (bits > 8)}, w.r.below(8), Operand::reg(target));
        });
        w.guarded([&] {
            w.e.modrm(w.wide_bits(), {0x0f, w.r.pick({0xa5u, 0xadu})}, w.r.pick({0u, 2u, 9u}), Operand::reg(target));
        });
    }
}

void bits(Writer& w, unsigned) {
    steps(w, 24, [](Writer& it) {
        const unsigned wide = it.wide_bits();
        switch (it.r.below(5)) {
            case 0:  // bt, bts, btr, btc with an immediate
                it.e.modrm(wide, {0x0f, 0xba}, 4 + it.r.below(4), it.operand());
                return it.e.number(it.r.next(), 1);
            case 1:  // by a register
                return it.e.modrm(wide, {0x0f, it.r.pick({0xa3u, 0xabu, 0xb3u, 0xbbu})}, it.reg(),
                                  Operand::reg(it.reg()));
            case 2:
                return it.e.modrm(wide, {0x0f, it.r.pick({0xbcu, 0xbdu})}, it.reg(), it.operand());  // bsf, bsr
            case 3:  // popcnt, tzcnt, lzcnt
                return it.e.modrm(wide, {0x0f, it.r.pick({0xb8u, 0xbcu, 0xbdu})}, it.reg(), it.operand(), 0xf3);
            default:  // crc32, movbe
                return it.r.chance(2)
                           ? it.e.modrm(wide == 16 ? 32 : wide, {0x0f, 0x38, 0xf1}, it.reg(), it.operand(), 0xf2)
                           : it.e.modrm(wide, {0x0f, 0x38, 0xf0 + it.r.below(2)}, it.reg(), it.memory());
        }
    });
    // Bit strings in memory: the offset reaches far, forwards and back.
    for (unsigned i = 0; i < 8; ++i) {
        const unsigned index = w.r.pick({0u, 1u, 2u, 8u});
        w.e.load(index, std::uint64_t(std::int64_t(w.r.below(8192)) - 1024));
        w.guarded([&] {
            w.e.modrm(w.wide_bits(), {0x0f, w.r.pick({0xa3u, 0xabu, 0xb3u, 0xbbu})}, index,
                      Operand::at(place::scratch + 1024));
        });
    }
}

void multiply(Writer& w, unsigned) {
    steps(w, 20, [](Writer& it) {
        const unsigned bits = it.bits(), wide = it.wide_bits();
        switch (it.r.below(4)) {
            case 0:
            case 1: {  // mul, imul, div, idiv: the division often raises #DE
                const unsigned operation = 4 + it.r.below(4);
                if (operation == 7) it.e.raw({0x0c, 0x01});  // or al, 1: never idiv-least
                return it.e.modrm(bits, {0xf6u + (bits > 8)}, operation, it.operand());
            }
            case 2:
                return it.e.modrm(wide, {0x0f, 0xaf}, it.reg(), it.operand());
            default:
                it.e.modrm(wide, {0x69}, it.reg(), it.operand());
                return immediate(it, wide);
        }
    });
    // Divisions that mostly succeed.
    for (unsigned i = 0; i < 8; ++i) {
        w.e.load(2, w.r.chance(2) ? 0 : w.r.below(3));
        w.e.load(0, w.value());
        w.e.load(9, w.value() | 4);
        w.guarded([&] { w.e.modrm(w.wide_bits(), {0xf7}, 6 + w.r.below(2), Operand::reg(9)); });
    }
}

void atomics(Writer& w, unsigned) {
    steps(w, 24, [](Writer& it) {
        const unsigned bits = it.bits(), wide = bits > 8;
        const Operand target = it.memory();
        const bool lock = it.r.chance(2);
        if (lock) it.e.raw({0xf0});
        switch (it.r.below(6)) {
            case 0:
                return it.e.modrm(bits, {0x0f, 0xc0 + wide}, it.reg(), target);  // xadd
            case 1:
            case 2:
                return it.e.modrm(bits, {0x0f, 0xb0 + wide}, it.reg(), target);  // cmpxchg
            case 3:  // cmpxchg8b, cmpxchg16b (which needs 16 bytes' alignment)
                return it.e.modrm(it.r.pick({32u, 64u}), {0x0f, 0xc7}, 1,
                                  Operand::at(target.value & (it.r.chance(4) ? ~0u : ~15u)));
            case 4:
                return it.e.modrm(bits, {0x86 + wide}, it.reg(), target);  // xchg
            default:
                return it.e.modrm(bits, {it.r.below(7) * 8 + wide}, it.reg(), target);
        }
    });
    w.e.modrm(64, {0x8b}, 0, Operand::at(place::scratch + 512));  // a comparison that holds
    w.e.modrm(64, {0x8b}, 2, Operand::at(place::scratch + 520));
    w.guarded([&] { w.e.modrm(64, {0x0f, 0xc7}, 1, Operand::at(place::scratch + 512), 0xf0); });
    // LOCK where it is not allowed: #UD
    w.guarded([&] { w.e.raw({0xf0, 0x01, 0xc0}); });
}

void strings(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 10; ++i) {
        const bool backwards = w.r.chance(3), faults = w.r.chance(3);
        const unsigned count = w.r.below(40);
        w.e.load(6, place::scratch + 512 + w.r.below(1024));
        w.e.load(7, faults ? (backwards ? place::scratch2 + w.r.below(16) : place::scratch_end - w.r.below(64))
                           : place::scratch2 + 1024 + w.r.below(512));
        w.e.load(1, count);
        if (w.r.chance(2)) w.e.load(0, w.value());
        w.e.flags(2 | (backwards ? 0x400 : 0) | (w.r.below(2) ? 0x40 : 0));
        w.guarded([&] {
            if (!w.r.chance(5)) w.e.raw({w.r.pick({0xf3u, 0xf3u, 0xf2u})});
            if (w.r.chance(8)) w.e.raw({0x67});
            const unsigned size = w.r.below(4);
            if (size == 1) w.e.raw({0x66});
            if (size == 3) w.e.raw({0x48});
            w.e.raw({w.r.pick({0xa4u, 0xa6u, 0xaau, 0xacu, 0xaeu}) + (size ? 1 : 0)});
        });
    }
    w.e.flags(2);
}

void stack(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 14; ++i) {
        const unsigned r = w.reg();
        w.guarded([&] {
            switch (w.r.below(9)) {
                case 0:
                    if (r >= 8) w.e.raw({0x41});
                    return w.e.raw({0x50 | (r & 7)});
                case 1:
                    if (r >= 8) w.e.raw({0x41});
                    return w.e.raw({0x58 | (r & 7)});
                case 2:
                    w.e.raw({0x68});
                    return w.e.number(w.value(), 4);
                case 3:
                    return w.e.modrm(32, {0xff}, 6, w.memory());
                case 4:
                    return w.e.modrm(32, {0x8f}, 0, w.memory());
                case 5:
                    return w.e.raw({0x9c});
                case 6:
                    return w.e.raw({0x66, 0x50 | (r & 7)});
                case 7:  // enter n, 0..3; the frame pointer is wild: #PF or #SS
                    w.e.raw({0xc8});
                    w.e.number(w.r.below(64), 2);
                    return w.e.number(w.r.below(4), 1);
                default:
                    return w.e.raw({0x0f, w.r.pick({0xa0u, 0xa1u, 0xa8u, 0xa9u})});  // push and pop fs, gs
            }
        });
    }
    // enter, leave, call and ret with a frame that is right
    w.e.load(5, place::scratch + 2048);
    w.guarded([&] { w.e.raw({0xc8, 0x20, 0, 2}); });
    w.guarded([&] { w.e.raw({0xc9}); });
    w.e.raw({0xe8, 2, 0, 0, 0, 0xeb, 3, 0xc2, 8, 0});  // call over `jmp 1f`; ret 8; 1:
    w.e.load(5, w.value());
    w.guarded([&] { w.e.raw({0xc9}); });  // leave from anywhere
}

void branches(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 16; ++i) {
        w.random_flags();
        w.e.raw({0x70 | i, 3, 0x48, 0xff, 0xc0});                 // jcc over inc rax
        w.e.raw({0x0f, 0x80 | i, 3, 0, 0, 0, 0x48, 0xff, 0xc3});  // jcc near over inc rbx
    }
    w.e.load(1, 3 + w.r.below(5));
    w.random_flags();
    w.e.raw({0x48, 0xff, 0xc2, w.r.pick({0xe0u, 0xe1u, 0xe2u}), 0xfb});  // inc rdx; loop(ne|e)
    w.e.load(1, std::uint64_t{w.r.below(2)} << 32);
    w.e.raw({0xe3, 2, 0xff, 0xc6, 0x67, 0xe3, 2, 0xff, 0xc7});  // jrcxz, jecxz
    // To where nothing can be executed.
    for (unsigned i = 0; i < 4; ++i) {
        w.e.load(
            3, w.r.pick<std::uint64_t>({place::absent + 8, place::no_execute + 16, 1ull << 47, 0x8000'0000'0000'0000}));
        w.guarded([&] { w.e.raw({0xff, w.r.pick({0xe3u, 0xd3u})}); });  // jmp, call rbx
    }
}

constexpr std::array kinds{
    SequenceKind{"arithmetic", arithmetic}, SequenceKind{"shifts", shifts},     SequenceKind{"bits", bits},
    SequenceKind{"multiply", multiply},     SequenceKind{"atomics", atomics},   SequenceKind{"strings", strings},
    SequenceKind{"stack", stack},           SequenceKind{"branches", branches},
};

}  // namespace

std::span<const SequenceKind> integer_kinds() { return kinds; }

}  // namespace sim::lockstep
