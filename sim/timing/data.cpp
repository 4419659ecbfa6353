// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/timing/data.hpp>

namespace sim::timing {

namespace {

// The assembler copies a file into the object; the folder is the compiler's definition.
#define BUILT_IN(name, file)                                                                                \
    asm(".pushsection .rodata\nexo_" #name "_begin: .incbin \"" EXO_TIMING_FOLDER "/" file "\"\nexo_" #name \
        "_end:\n.popsection\n");                                                                            \
    extern "C" const char exo_##name##_begin[], exo_##name##_end[]
BUILT_IN(znver4_sched, "data/znver4.sched");
BUILT_IN(znver4_overlay, "data/znver4.overlay.json");
BUILT_IN(znver4_cpu, "cpus/znver4.json");
BUILT_IN(znver5_overlay, "data/znver5.overlay.json");
BUILT_IN(znver5_cpu, "cpus/znver5.json");
BUILT_IN(znver3_sched, "data/znver3.sched");
BUILT_IN(znver3_overlay, "data/znver3.overlay.json");
BUILT_IN(znver3_cpu, "cpus/znver3.json");
BUILT_IN(skylake_avx512_sched, "data/skylake-avx512.sched");
BUILT_IN(skylake_avx512_overlay, "data/skylake-avx512.overlay.json");
BUILT_IN(skylake_avx512_cpu, "cpus/skylake-avx512.json");
BUILT_IN(ideal_cpu, "cpus/ideal.json");
#undef BUILT_IN

struct File {
    std::string_view name;
    const char *begin, *end;
};
#define LISTED(name, file) \
    { file, exo_##name##_begin, exo_##name##_end }
constexpr File files[] = {
    LISTED(znver4_cpu, "znver4.json"),
    LISTED(znver4_sched, "znver4.sched"),
    LISTED(znver4_overlay, "znver4.overlay.json"),
    LISTED(znver5_cpu, "znver5.json"),
    LISTED(znver5_overlay, "znver5.overlay.json"),
    LISTED(znver3_cpu, "znver3.json"),
    LISTED(znver3_sched, "znver3.sched"),
    LISTED(znver3_overlay, "znver3.overlay.json"),
    LISTED(skylake_avx512_cpu, "skylake-avx512.json"),
    LISTED(skylake_avx512_sched, "skylake-avx512.sched"),
    LISTED(skylake_avx512_overlay, "skylake-avx512.overlay.json"),
    LISTED(ideal_cpu, "ideal.json"),
};
#undef LISTED

}  // namespace

std::string_view built_in(std::string_view name) {
    for (const File& file : files)
        if (file.name == name) return {file.begin, file.end};
    return {};
}

std::vector<std::string> built_in_names(std::string_view end) {
    std::vector<std::string> names;
    for (const File& file : files)
        if (file.name.ends_with(end)) names.emplace_back(file.name);
    return names;
}

}  // namespace sim::timing
