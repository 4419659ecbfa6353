// SPDX-License-Identifier: GPL-2.0-or-later
#include <bit>
#include <charconv>
#include <optional>
#include <sim/bochs/trace_lines.hpp>

namespace sim::bochs {

namespace {

// Takes a line apart from left to right; once something is not as expected, nothing more is.
class Reader {
  public:
    explicit Reader(std::string_view text) : rest_(text) {}

    Reader& skip(std::string_view literal) {
        good_ = good_ && rest_.starts_with(literal);
        if (good_) rest_.remove_prefix(literal.size());
        return *this;
    }
    template <typename Number>
    Reader& number(Number& value, int base, std::size_t* digits = nullptr) {
        if (!good_) return *this;
        const char* begin = rest_.data();
        const auto [end, error] = std::from_chars(begin, begin + rest_.size(), value, base);
        good_ = error == std::errc{};
        if (digits) *digits = static_cast<std::size_t>(end - begin);
        if (good_) rest_.remove_prefix(static_cast<std::size_t>(end - begin));
        return *this;
    }
    Reader& to(std::string_view after) {  // past its last occurrence
        const std::size_t at = rest_.rfind(after);
        good_ = good_ && at != rest_.npos;
        if (good_) rest_.remove_prefix(at + after.size());
        return *this;
    }
    bool good() const { return good_; }
    std::string_view rest() const { return rest_; }

  private:
    std::string_view rest_;
    bool good_ = true;
};

bool take_bytes(std::string_view hex, InstructionLine& line) {
    if (hex.empty() || hex.size() % 2 || hex.size() > 2 * line.bytes.size()) return false;
    line.length = std::uint8_t(hex.size() / 2);
    for (std::size_t i = 0; i < line.length; ++i) {
        const char* digits = hex.data() + 2 * i;
        const auto [end, error] = std::from_chars(digits, digits + 2, line.bytes[i], 16);
        if (error != std::errc{} || end != digits + 2) return false;
    }
    return true;
}

std::optional<InstructionLine> instruction(std::string_view text) {
    InstructionLine line{};
    unsigned cpu, selector;
    std::size_t digits = 0;
    Reader reader(text);
    reader.skip("(").number(cpu, 10).skip(").[").number(line.tick, 10).skip("] [0x");
    reader.number(line.physical_address, 16).skip("] ").number(selector, 16).skip(":");
    reader.number(line.address, 16, &digits).skip(" (").to(" ; ");
    if (!reader.good() || !take_bytes(reader.rest(), line)) return std::nullopt;
    line.long_addresses = digits == 16;
    return line;
}

std::optional<AccessLine> access(std::string_view text) {
    AccessLine line{};
    unsigned cpu, size;
    Reader reader(text);
    reader.skip("[CPU").number(cpu, 10).skip(" ");
    const std::string_view kind = reader.rest().substr(0, 2);
    line.kind = kind == "WR" ? AccessKind::store : kind == "RW" ? AccessKind::rmw : AccessKind::load;
    reader.skip(kind == "WR" || kind == "RW" ? kind : "RD").skip("]: LIN 0x").number(line.virtual_address, 16);
    reader.skip(" PHY 0x").number(line.physical_address, 16).skip(" (len=").number(size, 10);
    if (!reader.good() || size == 0 || size > 64) return std::nullopt;
    line.size = std::uint8_t(size);
    // The parts of an access across two pages are printed as bytes, and wide ones in words: neither is needed.
    if (size > 8 || !std::has_single_bit(size)) return line;
    reader.to("): 0x").number(line.value, 16);
    if (size == 8) {
        std::uint64_t low = 0;
        if (!reader.skip(" 0x").number(low, 16).good()) return std::nullopt;
        line.value = line.value << 32 | low;
    }
    return reader.good() ? std::optional(line) : std::nullopt;
}

std::optional<TraceLine> event(std::string_view text) {
    unsigned cpu;
    Reader reader(text);
    if (!reader.skip("CPU ").number(cpu, 10).skip(": ").good()) return std::nullopt;
    if (reader.rest().starts_with("Exception 0x")) return ExceptionLine{};
    InterruptLine line{};
    reader.skip("Interrupt 0x").number(line.vector, 16).skip(" occurred (error_code=0x").number(line.error_code, 16);
    return reader.good() ? std::optional<TraceLine>(line) : std::nullopt;
}

}  // namespace

TraceLine parse_trace_line(std::string_view text) {
    if (text.starts_with("(")) {
        if (text.find(") Breakpoint ") == 2) return BreakpointLine{};
        if (const auto line = instruction(text)) return *line;
    } else if (text.starts_with("[CPU")) {
        if (const auto line = access(text)) return *line;
    } else if (const auto line = event(text)) {
        return *line;
    }
    return OtherLine{};
}

}  // namespace sim::bochs
