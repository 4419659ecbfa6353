// SPDX-License-Identifier: GPL-2.0-or-later
// Sequences of SSE and x87 instructions.
#include <array>
#include <sim/lockstep/sequences/kinds.hpp>

namespace sim::lockstep {

namespace {

using Writer = SequenceWriter;

Operand aligned(Writer& w) { return Operand::at(place::scratch + 256 + 16 * w.r.below(64)); }
unsigned xmm(Writer& w) { return w.r.below(16); }
Operand source(Writer& w) { return w.r.chance(3) ? aligned(w) : Operand::reg(xmm(w)); }

std::uint64_t floating(Writer& w) {
    switch (w.r.below(6)) {
        case 0:
            return w.r.pick({0ull, 1ull << 63, 0x3ff0'0000'0000'0000ull, 0x7ff0'0000'0000'0000ull,
                             0xfff0'0000'0000'0000ull, 0x7ff8'0000'0000'0000ull});
        case 1:
            return w.r.next() & 0x800f'ffff'ffff'ffff;  // subnormal
        case 2:                                         // two single-precision numbers of everyday size
            return (0x3f00'0000'3f00'0000 | (w.r.next() & 0x80ff'ffff'80ff'ffff));
        case 3:
            return 0x3fe0'0000'0000'0000 | (w.r.next() & 0x803f'ffff'ffff'ffff);
        default:
            return w.r.next();
    }
}

// Fills some of scratch and all vector registers.
void fill(Writer& w) {
    for (unsigned i = 0; i < 8; ++i) {
        w.e.load(0, floating(w));
        w.e.modrm(64, {0x89}, 0, Operand::at(place::scratch + 256 + 8 * w.r.below(128)));
    }
    for (unsigned i = 0; i < 16; ++i) w.e.modrm(32, {0x0f, 0x10}, i, aligned(w));  // movups
}

void mxcsr(Writer& w) {
    // Exceptions masked, flags clear; rounding and, rarely, flush to zero and denormals are zeros.
    const unsigned value = 0x1f80 | w.r.below(4) << 13 | (w.r.chance(6) ? 0x8000 : 0) | (w.r.chance(6) ? 0x40 : 0);
    w.e.store(place::scratch, value);
    w.e.modrm(32, {0x0f, 0xae}, 2, Operand::at(place::scratch));
}

void float_step(Writer& w) {
    const unsigned prefix = w.r.pick({0u, 0x66u, 0xf2u, 0xf3u});
    const bool packed = prefix == 0 || prefix == 0x66;
    switch (w.r.below(7)) {
        case 0:
        case 1:
        case 2:  // sqrt, add, mul, sub, min, div, max
            return w.e.modrm(32, {0x0f, w.r.pick({0x51u, 0x58u, 0x59u, 0x5cu, 0x5du, 0x5eu, 0x5fu})}, xmm(w), source(w),
                             prefix);
        case 3:  // cmp
            w.e.modrm(32, {0x0f, 0xc2}, xmm(w), source(w), prefix);
            return w.e.number(w.r.below(8), 1);
        case 4:  // (u)comis
            return w.e.modrm(32, {0x0f, 0x2e + w.r.below(2)}, xmm(w), source(w), packed ? prefix : 0u);
        case 5:  // between integers and floating point
            if (packed) return w.e.modrm(32, {0x0f, 0x5b}, xmm(w), source(w), prefix);
            return w.r.chance(2) ? w.e.modrm(32, {0x0f, 0x2a}, xmm(w), Operand::reg(w.reg()), prefix)
                                 : w.e.modrm(32, {0x0f, 0x2c + w.r.below(2)}, w.reg(), Operand::reg(xmm(w)), prefix);
        default:  // between precisions; and, andn, or, xor
            if (w.r.chance(2)) return w.e.modrm(32, {0x0f, 0x5a}, xmm(w), source(w), prefix);
            return w.e.modrm(32, {0x0f, 0x54 + w.r.below(4)}, xmm(w), source(w), packed ? prefix : 0u);
    }
}

void floats(Writer& w, unsigned) {
    w.random_registers();
    fill(w);
    for (unsigned i = 0; i < 24; ++i) {
        if (i % 6 == 0) mxcsr(w);
        w.guarded([&] { float_step(w); });
    }
    w.e.modrm(32, {0x0f, 0xae}, 3, Operand::at(place::scratch + 8));  // stmxcsr
    w.e.store(place::scratch, 0x1f80);
    w.e.modrm(32, {0x0f, 0xae}, 2, Operand::at(place::scratch));
}

void packed_integers(Writer& w, unsigned) {
    w.random_registers();
    fill(w);
    for (unsigned i = 0; i < 28; ++i) {
        w.guarded([&] {
            switch (w.r.below(4)) {
                case 0:
                case 1:  // 66 0F D0-FE: add, sub, multiply, compare, shift by register, min and max
                    return w.e.modrm(
                        32, {0x0f, w.r.pick({0xd4u, 0xd5u, 0xd8u, 0xdau, 0xdbu, 0xdcu, 0xdeu, 0xdfu, 0xe0u, 0xe3u,
                                             0xe4u, 0xe5u, 0xe8u, 0xeau, 0xebu, 0xecu, 0xeeu, 0xefu, 0xf4u, 0xf5u,
                                             0xf6u, 0xf8u, 0xfbu, 0xfcu, 0xfeu, 0x60u, 0x61u, 0x62u, 0x63u, 0x64u,
                                             0x65u, 0x66u, 0x67u, 0x68u, 0x6bu, 0x6cu, 0x6du, 0x74u, 0x75u, 0x76u,
                                             0xd1u, 0xd2u, 0xd3u, 0xe1u, 0xe2u, 0xf1u, 0xf2u, 0xf3u})},
                        xmm(w), source(w), 0x66);
                case 2:  // shuffles
                    w.e.modrm(32, {0x0f, 0x70}, xmm(w), source(w), w.r.pick({0x66u, 0xf2u, 0xf3u}));
                    return w.e.number(w.r.next(), 1);
                default:  // SSSE3 and SSE4.1 of one byte: pshufb .. pabsd, pmovsx, pmin, pmulld
                    return w.e.modrm(32, {0x0f, 0x38, w.r.pick({0x00u, 0x01u, 0x02u, 0x05u, 0x08u, 0x0bu, 0x1cu, 0x1du,
                                                                0x1eu, 0x20u, 0x23u, 0x28u, 0x29u, 0x2bu, 0x30u, 0x33u,
                                                                0x38u, 0x39u, 0x3au, 0x3bu, 0x3cu, 0x3fu, 0x40u})},
                                     xmm(w), source(w), 0x66);
            }
        });
        if (w.r.chance(4))  // shift by an immediate
            w.guarded([&] {
                const unsigned width = w.r.pick({0x71u, 0x72u, 0x73u});
                w.e.modrm(32, {0x0f, width}, width == 0x73 ? w.r.pick({2u, 3u, 6u, 7u}) : w.r.pick({2u, 4u, 6u}),
                          Operand::reg(xmm(w)), 0x66);
                w.e.number(w.r.below(80), 1);
            });
    }
    w.guarded([&] { w.e.modrm(64, {0x0f, 0x7e}, xmm(w), Operand::reg(w.reg()), 0x66); });
    w.guarded([&] { w.e.modrm(32, {0x0f, 0xd7}, w.reg(), Operand::reg(xmm(w)), 0x66); });  // pmovmskb
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x11}, xmm(w), w.memory()); });                   // movups, any alignment
}

void x87_step(Writer& w) {
    const Operand memory = Operand::at(place::scratch + 256 + 8 * w.r.below(128));
    switch (w.r.below(6)) {
        case 0:  // constants; chs, abs, tst, xam
            return w.e.raw(
                {0xd9, w.r.pick({0xe8u, 0xe9u, 0xeau, 0xebu, 0xecu, 0xedu, 0xeeu, 0xe0u, 0xe1u, 0xe4u, 0xe5u})});
        case 1:  // with st(i): add, mul, com, comp, sub, subr, div, divr
            return w.e.raw({0xd8, 0xc0 | w.r.below(64)});
        case 2:  // with memory: of 32 bits, of 64 bits, integers
            return w.e.modrm(32, {w.r.pick({0xd8u, 0xdcu, 0xdau, 0xdeu})}, w.r.below(8), memory);
        case 3:  // load and store
            return w.e.modrm(32, {w.r.pick({0xd9u, 0xddu})}, w.r.pick({0u, 2u, 3u}), memory);
        case 4:  // integers to and fro
            return w.e.modrm(32, {w.r.pick({0xdbu, 0xdfu})}, w.r.pick({0u, 2u, 3u}), memory);
        default:  // exchange, sqrt, rndint, scale, incstp, decstp, comi, store status
            switch (w.r.below(5)) {
                case 0:
                    return w.e.raw({0xd9, 0xc8 | w.r.below(8)});
                case 1:
                    return w.e.raw({0xd9, w.r.pick({0xfau, 0xfcu, 0xf7u, 0xf6u})});
                case 2:
                    return w.e.raw({0xdb, w.r.pick({0xe8u, 0xf0u}) | w.r.below(8)});
                case 3:
                    return w.e.raw({0xdf, 0xe0});
                default:
                    return w.e.modrm(32, {0xd9}, 7, memory);  // fnstcw
            }
    }
}

void x87(Writer& w, unsigned) {
    w.random_registers();
    fill(w);
    w.e.raw({0xdb, 0xe3});  // fninit: all exceptions masked
    if (w.r.chance(2)) {
        w.e.store(place::scratch, 0x7f | w.r.pick({0u, 0x200u, 0x300u}) | w.r.below(4) << 10);
        w.e.modrm(32, {0xd9}, 5, Operand::at(place::scratch));  // fldcw
    }
    for (unsigned i = 0; i < 24; ++i) w.guarded([&] { x87_step(w); });
    w.e.raw({0xdb, 0xe3});
}

// FXSAVE and FXRSTOR, and with CR0.TS set: #NM for all of them.
void state(Writer& w, unsigned variant) {
    w.random_registers();
    fill(w);
    w.e.raw({0xdb, 0xe3, 0xd9, 0xeb, 0xd9, 0xe8});             // fninit; fldpi; fld1
    const Operand area = Operand::at(place::scratch + 0xc00);  // where nothing else is loaded from
    const unsigned bits = w.r.pick({32u, 64u});
    w.guarded([&] { w.e.modrm(bits, {0x0f, 0xae}, 0, area); });
    w.e.raw({0xdb, 0xe3});
    for (unsigned i = 0; i < 4; ++i) w.guarded([&] { w.e.modrm(32, {0x0f, 0xef}, i, Operand::reg(i), 0x66); });
    w.guarded([&] { w.e.modrm(bits, {0x0f, 0xae}, 1, area); });
    if (variant % 2) {
        w.e.raw({0x0f, 0x20, 0xc0, 0x48, 0x83, 0xc8, 8, 0x0f, 0x22, 0xc0});  // mov rax, cr0; or rax, 8; mov cr0, rax
        w.guarded([&] { w.e.modrm(32, {0x0f, 0x58}, 1, Operand::reg(2)); });
        w.guarded([&] { w.e.raw({0xd9, 0xe8}); });
        w.guarded([&] { w.e.modrm(bits, {0x0f, 0xae}, 0, area); });
        w.guarded([&] { w.e.modrm(bits, {0x0f, 0xae}, 1, area); });
        w.guarded([&] { w.e.raw({0x9b}); });  // fwait
        w.e.raw({0x0f, 0x06});                // clts
    }
    w.e.store(place::scratch, 0x1'0000);  // a reserved bit of MXCSR: #GP
    w.guarded([&] { w.e.modrm(32, {0x0f, 0xae}, 2, Operand::at(place::scratch)); });
    w.guarded([&] { w.e.modrm(bits, {0x0f, 0xae}, 0, Operand::at(area.value + 8)); });  // misaligned: #GP
    // Pointers to the last x87 instruction, which one engine does not keep.
    w.e.store(area.value + 8, 0);
    w.e.store(area.value + 16, 0);
    w.e.raw({0xdb, 0xe3});
}

constexpr std::array kinds{SequenceKind{"floats", floats}, SequenceKind{"packed-integers", packed_integers},
                           SequenceKind{"x87", x87}, SequenceKind{"vector-state", state}};

}  // namespace

std::span<const SequenceKind> vector_kinds() { return kinds; }

}  // namespace sim::lockstep
