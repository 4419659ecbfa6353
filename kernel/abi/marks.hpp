// SPDX-License-Identifier: MIT
// Trace marks: named addresses in a note section that is not loaded, as USDT does it. A mark puts no instruction in
// the path: a tool that runs or traces the image reads the section and acts when that address is about to execute.
//
// Because there is no instruction, the compiler may move ordinary code across a mark; EXO_MARK_*_FENCED adds a
// compiler barrier (still no instruction) where that matters. A mark's address is that of whatever instruction comes
// next, so put none where control flow joins from a path that should not count. One mark may have several addresses
// (inlining, unrolling). An `end` without an open `begin` of that name is ignored.
//
// Note format (ELF notes, 4-byte aligned): name "exo", type mark_note_type, descriptor = MarkNote then the name as a
// zero-terminated string, padded to 4.
#pragma once
#include <cstdint>

namespace exo::abi {

inline constexpr char mark_section[] = ".note.exo.marks";
inline constexpr std::uint32_t mark_note_type = 0x4d524b31;  // "1KRM"

enum class MarkKind : std::uint32_t { point = 0, begin = 1, end = 2 };

struct MarkNote {
    std::uint64_t address;  // virtual
    MarkKind kind;
    // char name[]; zero-terminated
} __attribute__((packed));
static_assert(sizeof(MarkNote) == 12);

}  // namespace exo::abi

// `name` is a bare identifier. The numeric constants repeat mark_note_type and MarkKind for the assembler.
#define EXO_MARK_IMPL(name, kind, clobber)            \
    asm volatile(                                     \
        "990:\n\t"                                    \
        ".pushsection .note.exo.marks,\"\",@note\n\t" \
        ".balign 4\n\t"                               \
        ".4byte 4, 992f-991f, 0x4d524b31\n\t"         \
        ".asciz \"exo\"\n\t"                          \
        "991: .8byte 990b\n\t"                        \
        ".4byte " #kind                               \
        "\n\t"                                        \
        ".asciz \"" #name                             \
        "\"\n\t"                                      \
        "992: .balign 4\n\t"                          \
        ".popsection" ::                              \
            : clobber)
#define EXO_MARK(name) EXO_MARK_IMPL(name, 0, "cc")
#define EXO_MARK_BEGIN(name) EXO_MARK_IMPL(name, 1, "cc")
#define EXO_MARK_END(name) EXO_MARK_IMPL(name, 2, "cc")
#define EXO_MARK_BEGIN_FENCED(name) EXO_MARK_IMPL(name, 1, "memory")
#define EXO_MARK_END_FENCED(name) EXO_MARK_IMPL(name, 2, "memory")
