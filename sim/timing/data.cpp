// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/timing/data.hpp>

namespace sim::timing {

namespace {

// The assembler copies a file into the object; the path is the compiler's -I of the source folder.
#define BUILT_IN(name, file)                                                                           \
    asm(".pushsection .rodata\n" #name "_begin: .incbin \"" file "\"\n" #name "_end:\n.popsection\n"); \
    extern "C" const char name##_begin[], name##_end[]
BUILT_IN(znver4_sched, EXO_TIMING_DATA "/znver4.sched");
BUILT_IN(znver4_overlay, EXO_TIMING_DATA "/znver4.overlay");
#undef BUILT_IN

}  // namespace

std::string_view scheduling_text(std::string_view cpu) {
    if (cpu == "znver4") return {znver4_sched_begin, znver4_sched_end};
    return {};
}

std::string_view overlay_text(std::string_view cpu) {
    if (cpu == "znver4") return {znver4_overlay_begin, znver4_overlay_end};
    return {};
}

}  // namespace sim::timing
