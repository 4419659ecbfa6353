// SPDX-License-Identifier: GPL-2.0-or-later
// The table of costs. "micro table": patterns timed on a Zen 4 (EPYC Genoa) against a chain of dependent adds, lowest
// value on which two passes agree within 2 %. What ring 3 cannot run has no measured value: placeholders are guesses
// of the right order of size, and every total says how much of it rests on them.
#include <array>
#include <sim/timing/zen4_costs.hpp>
#include <utility>

namespace sim::zen4 {
namespace {

using enum Provenance;

constexpr std::string_view micro = "micro table";
constexpr std::string_view guess = "no measured value; order of size only";

struct Row {
    Special special;
    SystemCost cost;
};

// clang-format off
constexpr Row rows[] = {
    //                     name            cycles provenance   drains source
    {Special::rdtsc,      {"rdtsc",            35, measured,    false, micro}},
    {Special::rdtscp,     {"rdtscp",           65, measured,    true,  micro}},
    {Special::pause,      {"pause",            90, measured,    true,  micro}},
    {Special::xgetbv,     {"xgetbv",           48, measured,    false, micro}},
    {Special::pushf,      {"pushf",            10, estimate,    false, "half of the measured pushfq + popfq pair, 20"}},
    {Special::popf,       {"popf",             10, estimate,    false, "half of the measured pushfq + popfq pair, 20"}},
    {Special::lfence,     {"lfence",           17, measured,    true,  micro}},
    {Special::mfence,     {"mfence",           58, measured,    true,  micro}},
    {Special::sfence,     {"sfence",            1, measured,    false, micro}},
    {Special::fxsave,     {"fxsave",           82, measured,    false, micro}},
    {Special::fxrstor,    {"fxrstor",         191, measured,    false, micro}},
    {Special::xsave,      {"xsave",           138, measured,    false, "micro table: xsavec, x87+SSE+AVX"}},
    {Special::xrstor,     {"xrstor",          347, measured,    false, "micro table: x87+SSE+AVX"}},
    {Special::clflush,    {"clflush",         380, measured,    false, "micro table, clean line; 1,175 after a store"}},
    {Special::rdrand,     {"rdrand",          120, placeholder, false, guess}},
    {Special::mov_to_cr,  {"mov to cr",       100, published,   true,  "CR3 write about 100; other registers follow it"}},
    {Special::mov_from_cr,{"mov from cr",      10, placeholder, false, guess}},
    {Special::mov_dr,     {"mov dr",          100, placeholder, true,  guess}},
    {Special::syscall,    {"syscall",          60, placeholder, true,  "share of a published null call, 120-209 round trip"}},
    {Special::sysret,     {"sysret",           60, placeholder, true,  "share of a published null call, 120-209 round trip"}},
    {Special::iret,       {"iret",            250, placeholder, true,  guess}},
    {Special::swapgs,     {"swapgs",           20, placeholder, false, guess}},
    {Special::wrmsr,      {"wrmsr",           120, placeholder, true,  guess}},
    {Special::rdmsr,      {"rdmsr",           100, placeholder, false, guess}},
    {Special::invlpg,     {"invlpg",          120, placeholder, true,  guess}},
    {Special::cli,        {"cli",               5, placeholder, false, guess}},
    {Special::sti,        {"sti",               5, placeholder, false, guess}},
    {Special::stac,       {"stac",             10, placeholder, false, guess}},
    {Special::clac,       {"clac",             10, placeholder, false, guess}},
    {Special::hlt,        {"hlt",             300, placeholder, true,  "wake-up; the time asleep is not counted"}},
    {Special::lgdt,       {"lgdt",            100, placeholder, true,  guess}},
    {Special::lidt,       {"lidt",            100, placeholder, true,  guess}},
    {Special::lldt,       {"lldt",            100, placeholder, true,  guess}},
    {Special::ltr,        {"ltr",             150, placeholder, true,  guess}},
    {Special::mov_ss,     {"mov to segment",   20, placeholder, false, guess}},
    {Special::cpuid,      {"cpuid",           120, placeholder, true,  guess}},
    {Special::in,         {"in",             1000, placeholder, true,  "a device on a bus; order of size only"}},
    {Special::out,        {"out",            1000, placeholder, true,  "a device on a bus; order of size only"}},
    {Special::int_n,      {"int n",             0, placeholder, true,  "counted at the entry"}},
    {Special::int3,       {"int3",              0, placeholder, true,  "counted at the entry"}},
    {Special::ud,         {"ud2",               0, placeholder, true,  "counted at the entry"}},
    {Special::xsetbv,     {"xsetbv",          100, placeholder, true,  guess}},
    {Special::wbinvd,     {"wbinvd",       100000, placeholder, true,  guess}},
    {Special::far_transfer,{"far transfer",   100, placeholder, true,  guess}},
    {Special::unsupported,{"unsupported",      10, placeholder, true,  guess}},
};

constexpr SystemCost read_base  {"rdfsbase", 4, measured, false, micro};
constexpr SystemCost write_base {"wrfsbase",45, measured, false, "micro table: rdfsbase + wrfsbase 48.7, less 3.9"};
constexpr SystemCost exception  {"exception entry",     250, placeholder, true, guess};
constexpr SystemCost interrupt  {"interrupt entry",     300, placeholder, true, guess};
constexpr SystemCost software   {"int n entry",         250, placeholder, true, guess};
constexpr SystemCost device     {"device access",       300, placeholder, true, "uncached access; order of size only"};
constexpr SystemCost unlisted   {"unlisted",             10, placeholder, true, guess};

// In the order of InstructionClass: latency in half cycles, slots in halves, unit and the twelfths of a cycle it takes.
constexpr ClassCost classes[] = {
    {0,  1, Unit::none,       0, measured},    // nop: 12 a cycle
    {0,  2, Unit::none,       0, measured},    // move: eliminated
    {0,  2, Unit::none,       0, measured},    // zero_idiom
    {0,  2, Unit::none,       0, measured},    // load_store
    {2,  2, Unit::alu,        3, measured},    // alu: 4 a cycle
    {2,  2, Unit::shift,      6, measured},    // shift, cmov, setcc: 2 a cycle
    {4,  2, Unit::alu,        3, measured},    // lea_complex
    {6,  2, Unit::multiply,  12, measured},    // multiply: 1 a cycle
    {24, 4, Unit::divide,    72, measured},    // divide32: latency 9-12 by value; one every 6 cycles
    {28, 4, Unit::divide,   108, measured},    // divide64: latency 9-15 by value; one every 9 cycles
    {4,  2, Unit::shift,     18, measured},    // double_shift: one every 1.5 cycles
    {2,  8, Unit::none,       0, estimate},    // bit_memory_read: 3 measured
    {8, 16, Unit::none,       0, estimate},    // bit_memory_write: 8 measured
    {10, 10, Unit::none,      0, measured},    // cmpxchg: 9 with its load
    {20, 30, Unit::none,      0, measured},    // cmpxchg16b: 14.4 with its load
    {8,  8, Unit::none,       0, measured},    // xadd: 7.8 with its load
    {6,  4, Unit::none,       0, measured},    // xchg_memory: 7.2 with its load
    {6,  4, Unit::none,       0, measured},    // locked_other: 7.3 with its load
    {0,  2, Unit::none,       0, measured},    // stack
    {2,  2, Unit::none,       0, measured},    // control
    {6,  2, Unit::none,       0, estimate},    // vector: 1-4 by operation
    {24, 8, Unit::none,       0, estimate},    // vector_divide: divss 10.6, divsd 12.7, sqrtsd 20.6
    {10, 4, Unit::none,       0, placeholder}  // unknown
};
// clang-format on
static_assert(std::size(classes) == static_cast<std::size_t>(InstructionClass::count_));

using Point = std::pair<std::uint64_t, std::uint32_t>;
constexpr Point move_points[] = {{64, 14}, {256, 34}, {1024, 67}, {4096, 280}};
constexpr Point store_points[] = {{64, 9}, {256, 32}, {1024, 47}, {4096, 130}};

// Between measured points a straight line; beyond the last one, its rate.
std::uint32_t interpolate(std::span<const Point> points, std::uint64_t bytes) {
    if (bytes <= points.front().first) return points.front().second;
    for (std::size_t i = 1; i < points.size(); ++i) {
        auto [x0, y0] = points[i - 1];
        auto [x1, y1] = points[i];
        if (bytes <= x1) return y0 + static_cast<std::uint32_t>((bytes - x0) * (y1 - y0) / (x1 - x0));
    }
    auto [x, y] = points.back();
    std::uint64_t cycles = bytes / x * y + bytes % x * y / x;
    return cycles > 0x3fffffff ? 0x3fffffff : static_cast<std::uint32_t>(cycles);
}

}  // namespace

const SystemCost& system_cost(Special special, bool writes_base) {
    if (special == Special::fsgsbase) return writes_base ? write_base : read_base;
    for (const Row& row : rows)
        if (row.special == special) return row.cost;
    return unlisted;
}

const SystemCost& exception_entry() { return exception; }
const SystemCost& interrupt_entry() { return interrupt; }
const SystemCost& software_interrupt_entry() { return software; }
const SystemCost& device_access() { return device; }
const ClassCost& class_cost(InstructionClass kind) { return classes[static_cast<std::size_t>(kind)]; }
std::uint32_t rep_move_cycles(std::uint64_t bytes) { return interpolate(move_points, bytes); }
std::uint32_t rep_store_cycles(std::uint64_t bytes) { return interpolate(store_points, bytes); }

}  // namespace sim::zen4
