// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <sim/bochs/stop_lines.hpp>
#include <string>

namespace sim::bochs {

namespace {

using State = ArchitecturalState;
constexpr std::string_view general_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr std::string_view segment_names[] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr"};

// The number that follows `before`, 0x or not, with Bochs's underscores between halves.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view before, int base = 16) {
    const std::size_t at = text.find(before);
    if (at == text.npos) return std::nullopt;
    text.remove_prefix(at + before.size());
    if (text.starts_with("0x")) text.remove_prefix(2);
    std::string digits(text.substr(0, text.find_first_not_of("0123456789abcdefABCDEF_")));
    std::erase(digits, '_');
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (error != std::errc{} || end == digits.data()) return std::nullopt;
    return value;
}

void take_general(std::string_view line, State& state) {
    for (std::size_t i = 0; i < std::size(general_names); ++i) {
        if (!line.starts_with(general_names[i])) continue;
        if (const auto value = number_after(line, ": ")) state.general[i] = *value;
        return;
    }
    if (line.starts_with("rip: ")) state.rip = number_after(line, "rip: ").value_or(0);
    if (line.starts_with("eflags ")) state.rflags = number_after(line, "eflags ").value_or(0);
}

void take_control(std::string_view line, State& state) {
    if (line.starts_with("CR2=")) state.cr[2] = number_after(line, "laddr=").value_or(0);
    for (const unsigned i : {0u, 3u, 4u}) {
        const std::string name = "CR" + std::to_string(i) + "=";
        if (line.starts_with(name)) state.cr[i] = number_after(line, name).value_or(0);
    }
    if (line.starts_with("EFER=")) state.efer = number_after(line, "EFER=").value_or(0);
    if (line.starts_with("MXCSR: ")) state.mxcsr = number_after(line, "MXCSR: ").value_or(0);
}

void take_segment(std::string_view line, State& state) {
    for (std::size_t i = 0; i < std::size(segment_names); ++i) {
        const std::string_view name = segment_names[i];
        if (!line.starts_with(name) || !line.substr(name.size()).starts_with(":")) continue;
        State::Segment& segment = state.segments[i];
        if (line.find(":base=") != line.npos) {
            segment.base = number_after(line, ":base=").value_or(0);
            segment.limit = std::uint32_t(number_after(line, "limit=").value_or(0));
        } else {
            segment.selector = std::uint32_t(number_after(line, ":").value_or(0));
        }
    }
}

// "XMM[05]: 00000000_00000000_00000000_00000000", the upper half first; wider registers begin with zeros or not.
void take_vector(std::string_view line, State& state) {
    unsigned number = 0;
    unsigned words[4];
    const std::string text(line);
    if (std::sscanf(text.c_str(), "XMM[%u]: %8x_%8x_%8x_%8x", &number, &words[0], &words[1], &words[2], &words[3]) !=
            5 ||
        number >= 16)
        return;
    state.xmm[number][1] = std::uint64_t(words[0]) << 32 | words[1];
    state.xmm[number][0] = std::uint64_t(words[2]) << 32 | words[3];
}

}  // namespace

std::optional<StopLine> parse_stop_line(std::string_view line) {
    if (!line.starts_with("(0) Breakpoint ")) return std::nullopt;
    const auto number = number_after(line, "Breakpoint ", 10);
    // At an offset in a segment it says ", in 0x0008:ffffffff80207353 (0xffffffff80207353)".
    const auto address = number_after(line, line.find(", in ") == line.npos ? ", 0x" : " (0x");
    if (!number || !address) return std::nullopt;
    return StopLine{unsigned(*number), *address};
}

std::optional<std::uint64_t> parse_delivery_line(std::string_view line) {
    if (line.find(": exception (not softint) ") == line.npos) return std::nullopt;
    return number_after(line, "(0x");
}

std::optional<std::uint64_t> parse_time_line(std::string_view line) {
    return line.starts_with("ptime: ") ? number_after(line, "ptime: ", 10) : std::nullopt;
}

void take_state_line(std::string_view line, MarkStop& stop) {
    take_general(line, stop.state);
    take_control(line, stop.state);
    take_segment(line, stop.state);
    take_vector(line, stop.state);
}

}  // namespace sim::bochs
