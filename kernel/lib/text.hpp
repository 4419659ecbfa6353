// SPDX-License-Identifier: MIT
// Formatted text without allocation: format_to(sink, "{} of {:>8x}", a, b). The format is checked against its
// arguments by the compiler. Safe in any context its sink is safe in: panics and traps use it.
//
// A field is {} or {:[<|>][#][0][width][x|X]}: < left, > right (numbers are right-aligned by default, text left);
// # puts 0x before hexadecimal; 0 pads with zeros after sign and 0x; width at most 255. {{ and }} stand for themselves.
// Arguments: integers, bool, char, text, pointers and addresses (as 0x and hexadecimal). Enums are cast by the caller.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <hal/text_sink.hpp>
#include <hal/types.hpp>
#include <span>
#include <string_view>
#include <type_traits>

namespace exo {

using hal::TextSink;

struct FormatArgument {
    enum class Kind : std::uint8_t { unsigned_integer, signed_integer, boolean, character, text, pointer };
    Kind kind;
    std::uint64_t number = 0;  // the character, the integer's bits or the address
    std::string_view text = {};
};

template <std::integral T>
constexpr FormatArgument format_argument(T value) {
    using Kind = FormatArgument::Kind;
    if constexpr (std::same_as<T, bool>) return {Kind::boolean, value};
    else if constexpr (std::same_as<T, char>) return {Kind::character, static_cast<unsigned char>(value)};
    else if constexpr (std::signed_integral<T>)
        return {Kind::signed_integer, static_cast<std::uint64_t>(static_cast<std::int64_t>(value))};
    else return {Kind::unsigned_integer, value};
}
constexpr FormatArgument format_argument(std::string_view text) { return {FormatArgument::Kind::text, 0, text}; }
constexpr FormatArgument format_argument(const char* text) {
    return {FormatArgument::Kind::text, 0, text == nullptr ? std::string_view("(null)") : std::string_view(text)};
}
inline FormatArgument format_argument(const void* pointer) {
    return {FormatArgument::Kind::pointer, reinterpret_cast<std::uintptr_t>(pointer)};
}
template <typename Tag>
constexpr FormatArgument format_argument(hal::Address<Tag> address) {
    return {FormatArgument::Kind::pointer, address.value()};
}

struct FormatField {
    enum class Align : std::uint8_t { by_kind, left, right };
    Align align = Align::by_kind;
    bool prefix = false;
    bool zeros = false;
    bool hex = false;
    bool upper = false;
    std::uint8_t width = 0;
};

// Parses what follows '{' at `at`, up to and with its '}'. False if the field is malformed.
constexpr bool parse_field(std::string_view format, std::size_t& at, FormatField& field) {
    if (at < format.size() && format[at] == ':') {
        const auto take = [&](char c) { return at < format.size() && format[at] == c ? (++at, true) : false; };
        ++at;
        if (take('<')) field.align = FormatField::Align::left;
        else if (take('>')) field.align = FormatField::Align::right;
        field.prefix = take('#');
        field.zeros = take('0');
        unsigned width = 0;
        for (; at < format.size() && format[at] >= '0' && format[at] <= '9'; ++at) {
            width = width * 10 + static_cast<unsigned>(format[at] - '0');
            if (width > 255) return false;
        }
        field.width = static_cast<std::uint8_t>(width);
        field.upper = take('X');
        field.hex = field.upper || take('x');
        if (field.zeros && field.align == FormatField::Align::left) return false;
    }
    if (at >= format.size() || format[at] != '}') return false;
    ++at;
    return true;
}

// Number of fields, or -1 if the text is no format.
constexpr int count_fields(std::string_view format) {
    int fields = 0;
    for (std::size_t at = 0; at < format.size();) {
        const char c = format[at++];
        if (c != '{' && c != '}') continue;
        if (at < format.size() && format[at] == c) {
            ++at;
            continue;
        }
        FormatField field;
        if (c == '}' || !parse_field(format, at, field)) return -1;
        ++fields;
    }
    return fields;
}

template <typename... Args>
struct CheckedFormat {
    template <std::convertible_to<std::string_view> Text>
    consteval CheckedFormat(const Text& format) : text(format) {
        if (count_fields(text) != static_cast<int>(sizeof...(Args))) fields_and_arguments_do_not_match();
    }
    static void fields_and_arguments_do_not_match();  // never defined: reaching it is the compile error
    std::string_view text;
};

// The engine under format_to. A malformed format or a missing argument shows as '?', never as bad access.
void format_arguments(const TextSink& sink, std::string_view format, std::span<const FormatArgument> arguments);

// Something with `void write(std::string_view)`.
template <typename T>
concept TextWriter = requires(T& writer, std::string_view text) {
    writer.write(text);
};

inline TextSink text_sink(const TextSink& sink) { return sink; }
template <TextWriter W>
requires(!std::same_as<W, TextSink>) TextSink text_sink(W& writer) {
    return {[](void* self, std::string_view text) { static_cast<W*>(self)->write(text); }, &writer};
}

template <typename Sink, typename... Args>
void format_to(Sink&& sink, CheckedFormat<std::type_identity_t<Args>...> format, const Args&... args) {
    if constexpr (sizeof...(Args) == 0) {
        format_arguments(text_sink(sink), format.text, {});
    } else {
        const FormatArgument arguments[] = {format_argument(args)...};
        format_arguments(text_sink(sink), format.text, arguments);
    }
}

// Text in a fixed buffer. What does not fit is dropped, and truncated() says so.
template <std::size_t capacity>
class TextBuffer {
  public:
    void write(std::string_view text) {
        for (const char c : text) {
            if (used_ == capacity) {
                truncated_ = true;
                return;
            }
            bytes_[used_++] = c;
        }
    }
    template <typename... Args>
    TextBuffer& format(CheckedFormat<std::type_identity_t<Args>...> text, const Args&... args) {
        format_to(*this, text, args...);
        return *this;
    }
    std::string_view view() const { return {bytes_, used_}; }
    bool truncated() const { return truncated_; }
    void clear() {
        used_ = 0;
        truncated_ = false;
    }

  private:
    char bytes_[capacity];
    std::size_t used_ = 0;
    bool truncated_ = false;
};

}  // namespace exo
