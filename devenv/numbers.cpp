// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <devenv/numbers.hpp>

namespace devenv {

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    if (hexadecimal) text.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
    if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
    return value;
}

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
    const auto normalise = [least, most](std::string& text) -> std::string {
        const auto value = parse_unsigned(text);
        if (!value || *value < least || *value > most)
            return fmt::format("'{}' is not a whole number from {} to {}", text, least, most);
        text = std::to_string(*value);
        return {};
    };
    return CLI::Validator(normalise, most == any_unsigned ? "" : fmt::format("{}..{}", least, most));
}

CLI::Validator decimal_number(double least, double most) {
    const auto check = [least, most](const std::string& text) -> std::string {
        double value = 0;
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool number = error == std::errc{} && stop == text.data() + text.size();
        if (number && value >= least && value <= most) return {};
        return fmt::format("'{}' is not a number from {} to {}", text, least, most);
    };
    return CLI::Validator(check, "");
}

}  // namespace devenv
