// SPDX-License-Identifier: MIT
// The report, schema 1. The configuration is part of the figures: compiler, instruction set, threads, assertions.
#include <cpuid.h>

#include <cstdio>
#include <cstring>

#include "clock.hpp"
#include "harness.hpp"

namespace bench {
namespace {

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
    return out + '"';
}

std::string number(double value) {
    char text[32];
    snprintf(text, sizeof text, "%.2f", value);
    return text;
}

std::string cpu_name() {
    char name[49] = {};
    for (unsigned i = 0; i < 3; ++i) {
        unsigned words[4] = {};
        if (!__get_cpuid(0x8000'0002 + i, &words[0], &words[1], &words[2], &words[3])) return "unknown";
        std::memcpy(name + 16 * i, words, 16);
    }
    std::string text = name;
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text;
}

std::string figures(const Spread& spread) {
    return "\"min\":" + number(spread.min) + ",\"median\":" + number(spread.median) + ",\"p99\":" + number(spread.p99);
}

std::string row(const RowResult& result) {
    std::string out = "{\"id\":" + quoted(result.text.id) + ",\"title\":" + quoted(result.text.title) +
                      ",\"unit\":\"core cycles\",\"where\":\"native\",\"domain\":" + quoted(result.text.domain) +
                      ",\"placement\":" + quoted(result.text.placement) + ",\"exo\":{" + figures(result.exo) +
                      ",\"batches\":" + std::to_string(result.exo.batches) + "},\"peers\":[";
    for (const auto& peer : result.peers)
        out += (&peer == &result.peers.front() ? "" : ",") + ("{\"name\":" + quoted(peer.name)) + "," +
               figures(peer.spread) + "}";
    return out + "],\"note\":" + quoted(result.text.note) + "}";
}

}  // namespace

std::string to_json(const std::vector<RowResult>& rows) {
    std::string out = "{\"schema\":1,\"machine\":{\"cpu\":" + quoted(cpu_name()) +
                      ",\"tsc_ghz\":" + number(ticks_per_second() * 1e-9) +
                      ",\"core_per_tsc\":" + number(core_per_tick()) +
                      "},\"configuration\":{\"compiler\":" + quoted("g++ " __VERSION__) +
                      ",\"flags\":" + quoted(EXO_BENCH_FLAGS) + ",\"kernel_assertions\":false},\"rows\":[";
    for (const RowResult& result : rows) out += (&result == &rows.front() ? "\n" : ",\n") + row(result);
    return out + "\n]}\n";
}

}  // namespace bench
