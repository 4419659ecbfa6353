// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/state_log.hpp>
#include <utility>

namespace sim::lockstep {

namespace {

using State = ArchitecturalState;

constexpr std::size_t line_most = 1024;
constexpr unsigned equal_most = 1000;  // a guest that jumps to itself for ever is still told
constexpr std::uint64_t code64 = 1u << 15;
constexpr std::uint64_t flags_of_rflags = 0x73100;  // in a block's flags: TF, IOPL, RF, VM, AC

// Bits of `seen_`.
enum Seen : unsigned {
    general = 0,  // 16
    rip = 16,
    rflags,
    segments,      // 10
    control = 28,  // CR0, 2, 3, 4 as 28, 30, 31, 32
    efer = 33,
    x87_control,
    x87_status,
    mxcsr,
    x87 = 40,  // 8
    xmm = 48   // 16
};

constexpr std::uint64_t bits(unsigned first, unsigned count) { return ((1ull << (count - 1) << 1) - 1) << first; }
constexpr std::uint64_t needed = bits(general, 16) | bits(rip, 2) | bits(segments, 10) | 1ull << control |
                                 bits(control + 2, 3) | bits(efer, 4) | bits(x87, 8) | bits(xmm, 16);
constexpr std::uint64_t only_wide = bits(general + 8, 8) | bits(xmm + 8, 8);

constexpr std::array<std::string_view, 8> general_names{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"};
constexpr std::array<std::string_view, 10> segment_names{"ES", "CS", "SS", "DS", "FS", "GS", "LDT", "TR", "GDT", "IDT"};

void skip_spaces(std::string_view& rest) { rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size())); }

// A hexadecimal number and what ends it, a space or the end.
bool hexadecimal(std::string_view& rest, std::uint64_t& value) {
    skip_spaces(rest);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, 16);
    const auto length = std::size_t(end - rest.data());
    if (error != std::errc{} || (length < rest.size() && rest[length] != ' ')) return false;
    rest.remove_prefix(length);
    return true;
}

// "R8 =", "XMM00=": the name before the next '=', which must be the next word. Empty: there is none.
std::string_view key(std::string_view& rest) {
    skip_spaces(rest);
    const auto equals = rest.find('=');
    if (equals == rest.npos || equals > 5) return {};
    std::string_view name = rest.substr(0, equals);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    if (name.empty() || name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != name.npos) return {};
    rest.remove_prefix(equals + 1);
    return name;
}

// The number behind `prefix` in `name`, below `count`.
bool numbered(std::string_view name, std::string_view prefix, unsigned count, unsigned& number) {
    if (!name.starts_with(prefix)) return false;
    const std::string_view digits = name.substr(prefix.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return !digits.empty() && error == std::errc{} && end == digits.data() + digits.size() && number < count;
}

}  // namespace

void StateLog::damaged(const char* why) const {
    std::string shown;
    for (const char c : std::string_view(line_).substr(0, 80)) shown += c >= ' ' && c <= '~' ? c : '?';
    throw EngineError(text("the leader's log is damaged at line %llu, '%s': %s",
                           static_cast<unsigned long long>(line_number_), shown.c_str(), why));
}

bool StateLog::next_line() {
    line_.clear();
    for (;;) {
        if (rest_.empty() && (rest_ = read_()).empty()) return false;  // an unfinished line is none
        const auto end = rest_.find('\n');
        const std::string_view part = rest_.substr(0, end);
        line_.append(part.substr(0, line_most - std::min(line_most, line_.size())));
        rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
        if (end != rest_.npos) return ++line_number_, true;
    }
}

// "Trace 0: 0x7f... [cs base/address/flags/compile flags] symbol"
void StateLog::begin(std::string_view line) {
    const auto open = line.find('[');
    if (open == line.npos) damaged("a block without an address");
    unsigned long long base, address;
    unsigned flags, compile;
    int end = 0;
    const std::string rest(line.substr(open));
    if (std::sscanf(rest.c_str(), "[%16llx/%16llx/%8x/%8x]%n", &base, &address, &flags, &compile, &end) != 4 || !end)
        damaged("a block without an address");
    address_ = address;
    dump_.hidden_flags = flags & ~flags_of_rflags;
    wide_ = flags & code64;
    seen_ = wide_ ? 0 : only_wide;
    in_dump_ = true;
    complete_ = false;
}

void StateLog::set(unsigned bit, std::uint64_t& to, std::string_view& rest) {
    if (seen_ >> bit & 1) damaged("a register twice");
    if (!hexadecimal(rest, to)) damaged("no number");
    seen_ |= 1ull << bit;
}

void StateLog::set_pair(unsigned bit, std::uint64_t& first, std::uint64_t& second, std::string_view& rest) {
    set(bit, first, rest);
    if (!hexadecimal(rest, second)) damaged("half a register");
}

// "CS =0008 base limit attributes DPL=0 CS64 [-RA]"; tables have a base and a limit only.
void StateLog::set_segment(unsigned index, std::string_view& rest, bool table) {
    State::Segment& to = dump_.segments[index];
    std::uint64_t selector = 0, base = 0, limit = 0, attributes = 0;
    if (!table) set(segments + index, selector, rest);
    if (table) set(segments + index, base, rest);
    else if (!hexadecimal(rest, base)) damaged("no base");
    if (!hexadecimal(rest, limit) || (!table && !hexadecimal(rest, attributes))) damaged("no limit or attributes");
    to = {std::uint32_t(selector), std::uint32_t(limit), base, attributes};
    rest = {};
}

bool StateLog::take_field(std::string_view name, std::string_view& rest) {
    unsigned number;
    const auto segment = std::find(segment_names.begin(), segment_names.end(), name);
    if (segment != segment_names.end()) {
        const auto index = unsigned(segment - segment_names.begin());
        return set_segment(index, rest, index >= State::gdt), true;
    }
    if (name.size() == 3 && (name[0] == 'R' || name[0] == 'E')) {
        const auto found = std::find(general_names.begin(), general_names.end(), name.substr(1));
        const auto index = std::size_t(found - general_names.begin());
        if (found != general_names.end()) return set(unsigned(general + index), dump_.general[index], rest), true;
        if (name.substr(1) == "IP") return set(rip, dump_.rip, rest), true;
        if (name.substr(1) == "FL") return set(rflags, dump_.rflags, rest), rest = {}, true;
    }
    if (numbered(name, "XMM", 16, number))
        return set_pair(xmm + number, dump_.xmm[number][1], dump_.xmm[number][0], rest), true;
    if (numbered(name, "FPR", 8, number))
        return set_pair(x87 + number, dump_.x87[number][0], dump_.x87[number][1], rest), true;
    if (numbered(name, "CR", 5, number) && number != 1) return set(control + number, dump_.cr[number], rest), true;
    if (numbered(name, "R", 16, number) && number >= 8) return set(general + number, dump_.general[number], rest), true;
    if (name == "EFER") return set(efer, dump_.efer, rest), true;
    if (name == "FCW") return set(x87_control, dump_.x87_control, rest), true;
    if (name == "MXCSR") return set(mxcsr, dump_.mxcsr, rest), true;
    if (name == "FSW") {  // "[ST=0] FTW=00 MXCSR=..." follows
        set(x87_status, dump_.x87_status, rest);
        rest.remove_prefix(std::min(rest.find("MXCSR="), rest.size()));
        return true;
    }
    return false;
}

void StateLog::take(std::string_view line) {
    while (!line.empty()) {
        const std::string_view name = key(line);
        if (name.empty() || !take_field(name, line)) return;
    }
}

void StateLog::finish_dump() {
    const std::uint64_t base = wide_ ? 0 : dump_.segments[State::cs].base;
    if (((base + dump_.rip) ^ address_) & (wide_ ? ~0ull : 0xffff'ffff))
        damaged("a dump of another address than its block's");
    complete_ = true;
}

// The dump before the line that ended it, if it is a state.
bool StateLog::tell(State& state) {
    const bool equal = told_before_ && std::memcmp(&dump_, &told_, sizeof told_) == 0;
    if (equal && ++equal_ < equal_most) return false;
    equal_ = 0;
    told_before_ = true;
    state = told_ = dump_;
    return true;
}

bool StateLog::next(State& state) {
    while (next_line()) {
        if (line_.starts_with("Trace ")) {
            if (in_dump_ && !complete_) damaged("the block before has no whole dump");
            const bool told = in_dump_ && tell(state);
            begin(line_);
            if (told) return true;
        } else if (line_.starts_with("Stopped execution")) {
            in_dump_ = false;
        } else if (in_dump_ && !complete_) {
            take(line_);
            if ((seen_ & needed) == needed) finish_dump();
        }
    }
    return std::exchange(in_dump_, false) && complete_ && tell(state);
}

void StateLog::complete(State& told, const State& other) {
    if (told.hidden_flags & code64) return;
    constexpr std::uint64_t low = 0xffff'ffff;
    for (unsigned i = 0; i < 8; ++i) told.general[i] = (told.general[i] & low) | (other.general[i] & ~low);
    for (unsigned i = 8; i < 16; ++i) {
        told.general[i] = other.general[i];
        std::copy(std::begin(other.xmm[i]), std::end(other.xmm[i]), told.xmm[i]);
    }
}

}  // namespace sim::lockstep
