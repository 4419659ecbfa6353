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

// clang-format on

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
std::uint32_t rep_move_cycles(std::uint64_t bytes) { return interpolate(move_points, bytes); }
std::uint32_t rep_store_cycles(std::uint64_t bytes) { return interpolate(store_points, bytes); }

}  // namespace sim::zen4
