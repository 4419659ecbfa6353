// SPDX-License-Identifier: GPL-2.0-or-later
#include <abi/result.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <devenv/machine_watch.hpp>

namespace devenv {

namespace {

template <typename T>
bool parse_number(std::string_view text, T& value, int base) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && stop == text.data() + text.size();
}

std::string_view take_word(std::string_view& text) {
    const std::size_t blank = text.find(' ');
    const std::string_view word = text.substr(0, blank);
    text = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
    return word;
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 63 &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string_view::npos;
}

// "tour: 10 of 10 steps passed"
MachineEnd tour_end(std::string_view line) {
    constexpr std::string_view start = "tour: ", end = " steps passed";
    if (!line.starts_with(start) || !line.ends_with(end) || line.size() < start.size() + end.size())
        return MachineEnd::none;
    line = line.substr(start.size(), line.size() - start.size() - end.size());
    unsigned passed = 0, all = 0;
    const std::string_view first = take_word(line), of = take_word(line);
    if (of != "of" || !parse_number(first, passed, 10) || !parse_number(line, all, 10)) return MachineEnd::none;
    return passed == all ? MachineEnd::passed : MachineEnd::failed;
}

MachineEnd end_of(std::string_view line) {
    if (line.starts_with("PANIC: ")) return MachineEnd::panic;
    if (line == "stress: passed") return MachineEnd::passed;
    if (line == "stress: FAILED") return MachineEnd::failed;
    if (line == "calibrate: not possible") return MachineEnd::failed;
    if (line.starts_with("calibrate: ") && line.ends_with(" figures")) return MachineEnd::passed;
    return tour_end(line);
}

}  // namespace

MachineResult parse_result(std::string_view line) {
    using namespace exo::abi;
    const std::size_t sum = line.rfind(result_checksum);
    if (!line.starts_with(result_start) || sum == std::string_view::npos) return {};
    std::uint32_t crc = 0;
    const std::string_view digits = line.substr(sum + result_checksum.size());
    if (digits.size() != 8 || !parse_number(digits, crc, 16) || crc != result_crc32c(line.substr(0, sum))) return {};
    std::string_view rest = line.substr(result_start.size(), sum - result_start.size());
    const std::string_view name = take_word(rest), value = take_word(rest);
    MachineResult result{std::string(name), std::string(rest), 0};
    if (!is_name(name) || !is_name(rest) || !parse_number(value, result.value, 10)) return {};
    return result;
}

void MachineWatch::take(std::string_view bytes) {
    for (const char c : bytes) {
        ++bytes_;
        if (bytes_ <= shown_max) show(c);
        if (c == '\n') {
            line(line_);
            line_.clear();
        } else if (c != '\r' && line_.size() < line_max) {
            line_ += c;
        }
    }
    if (!pending_.empty() && show_) show_(pending_);
    console_ += pending_;
    pending_.clear();
}

// Nothing that comes over the line reaches the user's terminal as a command to it.
void MachineWatch::show(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\t' || (byte >= ' ' && byte < 0x7f)) {
        pending_ += c;
    } else if (c != '\r') {
        constexpr std::string_view digits = "0123456789abcdef";
        ++unprintable_;
        if (byte < ' ') pending_ += {'^', static_cast<char>(byte + '@')};
        else pending_ += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
}

void MachineWatch::line(std::string_view text) {
    constexpr std::string_view name = "exo-result ";
    if (text.starts_with("Exo-OS ") && text.find(", entered by ") != std::string_view::npos) {  // it starts (again)
        ++starts_;
        results_.clear();
        damaged_ = 0;
        end_ = MachineEnd::none;
    }
    if (const std::size_t at = text.find(name); at != std::string_view::npos) return result(text.substr(at));
    if (const MachineEnd end = end_of(text); end != MachineEnd::none && end_ == MachineEnd::none) {
        end_ = end;
        end_line_ = text;
    }
}

void MachineWatch::result(std::string_view text) {
    const MachineResult result = parse_result(text);
    if (result.name.empty()) {
        ++damaged_;
        return;
    }
    const auto same = std::find_if(results_.begin(), results_.end(),
                                   [&](const MachineResult& known) { return known.name == result.name; });
    if (same != results_.end()) *same = result;
    else if (results_.size() < results_max) results_.push_back(result);
}

}  // namespace devenv
