// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <devenv/view/format.hpp>

namespace devenv {

namespace {
bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }
}  // namespace

std::string grouped(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

std::string signed_grouped(std::int64_t value) {
    if (value == 0) return "0";
    const std::uint64_t magnitude =
        value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
    return (value < 0 ? "-" : "+") + grouped(magnitude);
}

std::string percent(double part, double whole) {
    return whole == 0 ? "-" : fmt::format("{:.1f} %", 100.0 * part / whole);
}

std::string signed_percent(double from, double to) {
    if (from == to) return "0.0 %";
    return from == 0 ? "new" : fmt::format("{:+.1f} %", 100.0 * (to - from) / from);
}

std::string byte_size(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes) / 1024;
    for (const char* unit : {"KiB", "MiB", "GiB"}) {
        if (value < 1024) return fmt::format("{:.1f} {}", value, unit);
        value /= 1024;
    }
    return fmt::format("{:.1f} TiB", value);
}

std::string hex(std::uint64_t value) { return fmt::format("{:#x}", value); }
std::string address(std::uint64_t value) { return fmt::format("{:016x}", value); }
std::string seconds(double value) { return fmt::format("{:.2f} s", value); }
std::string decimal(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

std::size_t columns(std::string_view utf8) {
    std::size_t count = 0;
    for (char c : utf8) count += starts_code_point(c);
    return count;
}

std::string shorten(std::string_view utf8, std::size_t limit) {
    if (columns(utf8) <= limit || limit < 3) return std::string(utf8);
    // Names differ most at their ends, so a third stays in front and the rest behind.
    const std::size_t front = (limit - 1) / 3, back = limit - 1 - front;
    std::size_t head = 0, tail = utf8.size();
    for (std::size_t seen = 0; head < utf8.size(); ++head) {
        if (starts_code_point(utf8[head]) && seen++ == front) break;
    }
    for (std::size_t seen = 0; seen < back;) seen += starts_code_point(utf8[--tail]);
    return std::string(utf8.substr(0, head)) + "…" + std::string(utf8.substr(tail));
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
    std::string out;
    std::size_t used = 0;
    while (!text.empty()) {
        const std::size_t start = std::min(text.find_first_not_of(' '), text.size());
        const std::size_t end = std::min(text.find(' ', start), text.size());
        const std::size_t word = columns(text.substr(0, end));
        if (width && used > indent && used + word > width) {
            text.remove_prefix(start);
            out += "\n" + std::string(indent, ' ');
            used = indent;
            continue;
        }
        out += text.substr(0, end);
        used += word;
        text.remove_prefix(end);
    }
    return out;
}

}  // namespace devenv
