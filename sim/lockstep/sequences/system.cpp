// SPDX-License-Identifier: GPL-2.0-or-later
// Sequences of what only kernels do: segments, control registers and MSRs, exceptions of each kind, changes of ring.
#include <array>
#include <sim/lockstep/sequences/kinds.hpp>

namespace sim::lockstep {

namespace {

using Writer = SequenceWriter;

// Selectors as guest.S has them: good, null, not present, read-only, the TSS, beyond the limit, in an absent LDT.
unsigned selector(Writer& w) {
    return w.r.pick(
        {0u, 3u, 0x08u, 0x10u, 0x18u, 0x23u, 0x2bu, 0x30u, 0x38u, 0x40u, 0x50u, 0x58u, 0x68u, 0x0cu, 0x13u, 0xfff8u});
}

void segments(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 20; ++i) {
        const unsigned chosen = selector(w);
        w.e.load(0, chosen);
        w.random_flags();
        w.guarded([&] {
            switch (w.r.below(8)) {
                case 0:
                case 1:  // mov to es, ds, fs, gs
                    return w.e.raw({0x8e, 0xc0 | w.r.pick({0u, 3u, 4u, 5u}) << 3});
                case 2:  // mov to ss: must have the ring's privilege
                    return w.e.raw({0x8e, 0xd0});
                case 3:  // mov to cs: #UD
                    return w.r.chance(3) ? w.e.raw({0x8e, 0xc8}) : w.e.raw({0x8c, 0xc0 | w.r.below(6) << 3 | 1});
                case 4:  // lar, lsl
                    return w.e.modrm(w.wide_bits(), {0x0f, 0x02 + w.r.below(2)}, w.r.pick({1u, 2u, 8u}),
                                     Operand::reg(0));
                case 5:  // verr, verw
                    return w.e.modrm(32, {0x0f, 0x00}, 4 + w.r.below(2), Operand::reg(0));
                case 6:  // sldt, str
                    return w.e.modrm(w.wide_bits(), {0x0f, 0x00}, w.r.below(2), Operand::reg(w.reg()));
                default:  // lldt, ltr: a busy TSS, or none
                    // LTR of a null selector is #GP, but both engines take it, and QEMU then dies of the first IST.
                    return w.e.modrm(32, {0x0f, 0x00}, chosen < 4 ? 2 : 2 + w.r.below(2), Operand::reg(0));
            }
        });
    }
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x01}, 0, Operand::at(place::scratch + 64)); });   // sgdt
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x01}, 1, Operand::at(place::scratch + 80)); });   // sidt
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x01}, 2, Operand::at(w.guest.gdt_register)); });  // lgdt
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x01}, 3, Operand::at(w.guest.idt_register)); });  // lidt
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x01}, 2, Operand::at(place::absent)); });         // lgdt, #PF
    w.e.raw({0x31, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0});
    w.e.load(0, 0);
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x00}, 2, Operand::reg(0)); });  // lldt 0
}

void mov_cr(Writer& w, unsigned number, std::uint64_t flip) {
    w.guarded([&] { w.e.raw({0x0f, 0x20, 0xc0 | number << 3}); });  // mov rax, cr
    w.e.load(1, flip);
    w.e.raw({0x48, 0x31, 0xc8});  // xor rax, rcx
    w.guarded([&] { w.e.raw({0x0f, 0x22, 0xc0 | number << 3}); });
    w.guarded([&] { w.e.raw({0x0f, 0x20, 0xc2 | number << 3}); });
    w.e.raw({0x48, 0x31, 0xc8});
    w.guarded([&] { w.e.raw({0x0f, 0x22, 0xc0 | number << 3}); });  // and back
}

void control(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 4; ++i) {
        // CR0: MP, TS, AM, NE. Not what raises #GP on a CPU: QEMU takes it (docs/limits.md). Not EM, which ends SSE.
        mov_cr(w, 0, w.r.pick({2ull, 8ull, 1ull << 18, 1ull << 5}));
        // CR4: TSD, DE, PGE, PCE, FSGSBASE. Not what is reserved: QEMU leaves a virtual machine that is none.
        mov_cr(w, 4, w.r.pick({4ull, 8ull, 1ull << 7, 1ull << 8, 1ull << 16}));
        mov_cr(w, 2, w.value());
        if (w.r.chance(2)) mov_cr(w, 3, w.r.pick({8ull, 16ull}));  // PWT, PCD
    }
    w.guarded([&] { w.e.raw({0x0f, 0x01, 0xe0}); });                      // smsw eax
    w.guarded([&] { w.e.raw({0x0f, 0x01, 0xf0}); });                      // lmsw ax
    w.guarded([&] { w.e.raw({0x0f, 0x06}); });                            // clts
    w.guarded([&] { w.e.modrm(32, {0x0f, 0x01}, 7, w.memory()); });       // invlpg
    w.guarded([&] { w.e.raw({0x0f, 0x09}); });                            // wbinvd
    w.guarded([&] { w.e.raw({0x0f, 0x20, 0xc8}); });                      // mov rax, cr1: #UD
    w.guarded([&] { w.e.raw({0x0f, 0x22, 0xe8}); });                      // mov cr5, rax: #UD
    w.guarded([&] { w.e.raw({0x0f, 0x21, 0xf0 | w.r.below(2) << 3}); });  // mov rax, dr6 or dr7
}

void msrs(Writer& w, unsigned) {
    w.random_registers();
    const auto at = [&](std::uint32_t number, std::uint64_t value) {
        w.e.load(1, number);
        w.e.load(0, std::uint32_t(value));
        w.e.load(2, value >> 32);
        w.guarded([&] { w.e.raw({0x0f, 0x30}); });
        w.guarded([&] { w.e.raw({0x0f, 0x32}); });
    };
    for (unsigned i = 0; i < 6; ++i) {
        at(0xc000'0100 + w.r.below(3), w.r.chance(2) ? std::uint64_t(std::int64_t(w.value()) >> 17) : w.value());
        w.guarded([&] { w.e.raw({0x0f, 0x01, 0xf8}); });  // swapgs
        w.guarded([&] { w.e.modrm(64, {0x8b}, w.reg(), Operand::at(place::scratch + w.r.below(64)), 0x65); });
    }
    at(0xc000'0083, w.value() >> 17);  // CSTAR
    at(0xc000'0080, 0xd00);            // EFER without SCE: SYSCALL is #UD
    w.guarded([&] { w.e.raw({0x0f, 0x05}); });
    at(0xc000'0080, 0xd01);
    at(0xc000'0100, 0), at(0xc000'0101, 0), at(0xc000'0102, 0);
    w.e.load(1, 0xc000'0080);
    w.guarded([&] { w.e.raw({0x0f, 0x32}); });
    // FSGSBASE
    mov_cr(w, 4, 1ull << 16);
    w.e.raw({0x0f, 0x20, 0xe0, 0x48, 0x0f, 0xba, 0xe8, 16, 0x0f, 0x22, 0xe0});  // on
    for (unsigned i = 0; i < 6; ++i) {
        w.e.load(0, w.r.chance(3) ? w.value() : w.value() >> 17);
        w.guarded([&] { w.e.modrm(w.r.pick({32u, 64u}), {0x0f, 0xae}, w.r.below(4), Operand::reg(0), 0xf3); });
    }
    w.e.raw({0x31, 0xc0, 0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x48, 0x0f, 0xae, 0xd8});
    w.e.raw({0x0f, 0x20, 0xe0, 0x48, 0x0f, 0xba, 0xf0, 16, 0x0f, 0x22, 0xe0});  // off
}

void inputs(Writer& w, unsigned variant) {
    w.random_registers();
    static constexpr std::uint32_t leaves[] = {
        0,    1,    2,           4,           5,           6,           7,           0xb,         0xd,
        0x15, 0x16, 0x4000'0000, 0x8000'0000, 0x8000'0001, 0x8000'0002, 0x8000'0008, 0x8000'0007, 0x1234};
    for (unsigned i = 0; i < 6; ++i) {
        w.e.load(0, leaves[(variant * 6 + i) % std::size(leaves)]);
        w.e.load(1, w.r.below(3));
        w.guarded([&] { w.e.raw({0x0f, 0xa2}); });
    }
    w.guarded([&] { w.e.raw({0x0f, 0x31}); });        // rdtsc
    w.guarded([&] { w.e.raw({0x0f, 0x01, 0xf9}); });  // rdtscp
    w.e.load(2, 0x3fd);
    w.guarded([&] { w.e.raw({0xec}); });        // in al, dx
    w.guarded([&] { w.e.raw({0xe4, 0x61}); });  // in al, 0x61
    w.e.load(2, 0xcf8);
    w.guarded([&] { w.e.raw({w.r.pick({0xefu, 0xedu})}); });
    w.e.load(3, 0xfee0'0030);  // beyond the mapped GiB: #PF
    w.guarded([&] { w.e.raw({0x8b, 0x03}); });
    w.e.load(1, 0);
    w.guarded([&] { w.e.raw({0x0f, 0x01, 0xd0}); });  // xgetbv without OSXSAVE: #UD
}

void exceptions(Writer& w, unsigned) {
    w.random_registers();
    constexpr std::uint64_t not_canonical = 0x8000'0000'0000'0000;
    for (unsigned i = 0; i < 16; ++i) {
        w.random_flags();
        const std::uint64_t address =
            w.r.pick<std::uint64_t>({place::absent + 16, place::read_only + 8, not_canonical, place::absent - 3,
                                     1ull << 47, 0x4000'0000, place::supervisor});
        w.e.load(3, address);
        w.guarded([&] {
            switch (w.r.below(12)) {
                case 0:
                    return w.e.modrm(w.bits(), {0x8b}, w.r.pick({0u, 1u, 8u}), Operand::at_rbx());  // load
                case 1:
                    return w.e.modrm(w.bits(), {0x89}, w.r.pick({0u, 1u, 8u}), Operand::at_rbx());  // store
                case 2:
                    return w.e.modrm(64, {0x01}, 1, Operand::at_rbx());  // read, change, write
                case 3:
                    return w.e.raw({0xcc});  // int3
                case 4:
                    return w.e.raw({0xcd, w.r.pick({0x03u, 0x04u, 0x20u, 0x80u, 0xffu, 0x0du, 0x0eu})});
                case 5:
                    return w.e.raw({0x0f, w.r.pick({0x0bu, 0xffu, 0xb9u})});  // ud2, ud0, ud1
                case 6:
                    return w.e.raw(
                        {w.r.pick({0x06u, 0x27u, 0x37u, 0x60u, 0xceu, 0xd6u, 0x9au, 0xeau})});  // none in 64 bits
                case 7:
                    return w.e.modrm(64, {0xf7}, 6, Operand::at_rbx());  // div: #DE or #PF
                case 8:                                                  // through RSP: #SS
                    w.e.raw({0x48, 0x89, 0xdc, 0x50});                   // mov rsp, rbx; push rax
                    return;
                case 9:
                    return w.e.modrm(64, {0x8b}, 5, Operand::at_rbx(), 0x36);
                case 10:
                    return w.e.modrm(32, {0x0f, 0x28}, 1, Operand::at(place::absent));  // movaps, #PF
                default:
                    return w.e.raw({0x0f, 0xa2});  // cpuid
            }
        });
    }
}

// To ring 3 by IRETQ or SYSRET, something there, and back by a fault, INT 0x80 or SYSCALL.
void rings(Writer& w, unsigned variant) {
    w.random_registers();
    for (unsigned i = 0; i < 6; ++i) {
        w.e.store(w.guest.resume, 0);
        const std::size_t hole = w.e.bytes().size() - 4;
        const bool sysret = (variant + i) % 2;
        std::size_t target;
        if (sysret) {
            w.e.raw({0x48, 0xc7, 0xc1});  // mov rcx, target
            w.e.number(0, 4);
            target = w.e.bytes().size() - 4;
            w.e.load(11, 2 | (w.r.next() & 0x8d5));
            w.e.raw({0x48, 0x0f, 0x07});
        } else {
            w.e.raw({0x6a, 0x23, 0x68});
            w.e.number(w.guest.stack_top, 4);
            w.e.raw({0x68});
            w.e.number(2 | (w.r.next() & 0x8d5) | (w.r.chance(2) ? 0x3000 : 0), 4);
            w.e.raw({0x6a, 0x2b, 0x68});
            w.e.number(0, 4);
            target = w.e.bytes().size() - 4;
            w.e.raw({0x48, 0xcf});
        }
        w.e.patch32(target, std::uint32_t(w.e.here()));
        w.random_flags();
        switch (w.r.below(16)) {
            case 0:
                w.e.raw({0xf4});  // hlt
                break;
            case 1:
                w.e.raw({w.r.pick({0xfau, 0xfbu})});  // cli, sti: by IOPL
                break;
            case 2:
                w.e.raw({0xe4, 0x61});  // in: by IOPL
                break;
            case 3:
                w.e.raw({0x0f, w.r.pick({0x20u, 0x22u}), 0xc0});
                break;
            case 4:
                w.e.raw({0x0f, w.r.pick({0x30u, 0x32u, 0x06u, 0x09u, 0x07u})});
                break;
            case 5:
                w.e.modrm(32, {0x0f, 0x01}, w.r.pick({2u, 3u, 6u, 7u}), w.memory());
                break;
            case 6:
                w.e.modrm(64, {0x8b}, 0, Operand::at(place::supervisor));
                break;
            case 7:
                w.e.modrm(64, {0x89}, 0, Operand::at(w.r.pick({place::absent, place::read_only, place::supervisor})));
                break;
            case 8:
                w.e.raw({0xcd, w.r.pick({0x03u, 0x04u, 0x80u})});  // not where QEMU's error code is wrong
                break;
            case 9:
                w.e.raw({0x0f, 0x01, 0xf8});  // swapgs
                break;
            case 10:
                w.e.raw({0x8e, w.r.pick({0xd8u, 0xd0u, 0xe0u})});
                break;
            case 11:
                w.e.raw({0x0f, 0x00, w.r.pick({0xd0u, 0xd8u})});  // lldt, ltr
                break;
            case 12:
                w.e.raw({0x0f, 0x05});
                break;
            case 13:
                w.e.raw({0x0f, 0x0b});
                break;
            case 14:  // popf cannot change IF or IOPL
                w.e.raw({0x68});
                w.e.number(0x3202 | (w.r.next() & 0x8d5), 4);
                w.e.raw({0x9d, 0x9c, 0x58});
                break;
            default:
                w.e.raw({0x48, 0xcf});  // iretq from what is on the stack
                break;
        }
        w.e.raw({0xcd, 0x80});
        w.e.patch32(hole, std::uint32_t(w.e.here()));
    }
    w.e.raw({0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0});
}

// IRETQ to ring 0 with frames that are right and wrong; far returns and calls.
void returns(Writer& w, unsigned) {
    w.random_registers();
    for (unsigned i = 0; i < 8; ++i) {
        w.guarded([&] {
            w.e.raw({0x6a, w.r.pick({0x10u, 0x10u, 0x23u, 0u, 0x30u})});
            w.e.raw({0x68});
            w.e.number(w.guest.stack_top - 256, 4);
            w.e.raw({0x68});
            w.e.number(2 | (w.r.next() & 0x40cd5), 4);
            w.e.raw({0x6a, w.r.pick({0x08u, 0x08u, 0x08u, 0x10u, 0u, 0x68u, 0x58u})});
            w.e.raw({0x68});
            w.e.number(0, 4);
            const std::size_t target = w.e.bytes().size() - 4;
            w.e.raw({0x48, 0xcf});
            w.e.patch32(target, std::uint32_t(w.e.here()));
        });
        w.e.flags(2);
    }
    for (unsigned i = 0; i < 4; ++i) {
        w.guarded([&] {
            w.e.raw({0x6a, w.r.pick({0x08u, 0x08u, 0x10u, 0u, 0x30u, 0x68u}), 0x68});
            w.e.number(0, 4);
            const std::size_t target = w.e.bytes().size() - 4;
            w.e.raw({0x48, 0xcb});  // far return
            w.e.patch32(target, std::uint32_t(w.e.here()));
        });
    }
}

constexpr std::array kinds{
    SequenceKind{"segments", segments}, SequenceKind{"control-registers", control}, SequenceKind{"msrs", msrs},
    SequenceKind{"inputs", inputs},     SequenceKind{"exceptions", exceptions},     SequenceKind{"rings", rings},
    SequenceKind{"returns", returns}};

}  // namespace

std::span<const SequenceKind> system_kinds() { return kinds; }

}  // namespace sim::lockstep
