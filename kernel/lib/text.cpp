// SPDX-License-Identifier: MIT
// The engine of format_to: one pass over the format, digits into a small buffer on the stack, padding in chunks.
#include <lib/text.hpp>

namespace exo {
namespace {

void emit(const TextSink& sink, std::string_view text) {
    if (!text.empty()) sink.write(sink.self, text);
}

void pad(const TextSink& sink, char c, std::size_t count) {
    const std::string_view chunk = c == '0' ? "0000000000000000" : "                ";
    for (; count > chunk.size(); count -= chunk.size()) emit(sink, chunk);
    emit(sink, chunk.substr(0, count));
}

struct Digits {
    char bytes[20];  // 2^64 - 1 has 20 decimal digits
    std::size_t first = sizeof bytes;
    std::string_view view() const { return {bytes + first, sizeof bytes - first}; }
};

Digits digits_of(std::uint64_t value, const FormatField& field) {
    const char* alphabet = field.upper ? "0123456789ABCDEF" : "0123456789abcdef";
    const unsigned base = field.hex ? 16 : 10;
    Digits digits;
    do {
        digits.bytes[--digits.first] = alphabet[value % base];
        value /= base;
    } while (value != 0);
    return digits;
}

void emit_padded(const TextSink& sink, const FormatField& field, bool right, std::string_view lead,
                 std::string_view body) {
    const std::size_t length = lead.size() + body.size();
    const std::size_t padding = field.width > length ? field.width - length : 0;
    if (right && !field.zeros) pad(sink, ' ', padding);
    emit(sink, lead);
    if (right && field.zeros) pad(sink, '0', padding);
    emit(sink, body);
    if (!right) pad(sink, ' ', padding);
}

void emit_number(const TextSink& sink, FormatField field, const FormatArgument& argument) {
    std::uint64_t magnitude = argument.number;
    const bool negative = argument.kind == FormatArgument::Kind::signed_integer && (magnitude >> 63) != 0;
    if (negative) magnitude = ~magnitude + 1;
    if (argument.kind == FormatArgument::Kind::pointer) field.hex = field.prefix = true;
    const bool prefix = field.hex && field.prefix;
    const std::string_view lead = negative ? (prefix ? "-0x" : "-") : (prefix ? "0x" : "");
    emit_padded(sink, field, field.align != FormatField::Align::left, lead, digits_of(magnitude, field).view());
}

void emit_text(const TextSink& sink, FormatField field, std::string_view text) {
    field.zeros = false;
    emit_padded(sink, field, field.align == FormatField::Align::right, {}, text);
}

void emit_argument(const TextSink& sink, const FormatField& field, const FormatArgument& argument) {
    using Kind = FormatArgument::Kind;
    const char character = static_cast<char>(argument.number);
    switch (argument.kind) {
        case Kind::text:
            return emit_text(sink, field, argument.text);
        case Kind::character:
            return emit_text(sink, field, {&character, 1});
        case Kind::boolean:
            return emit_text(sink, field, argument.number != 0 ? "true" : "false");
        case Kind::unsigned_integer:
        case Kind::signed_integer:
        case Kind::pointer:
            return emit_number(sink, field, argument);
    }
}

}  // namespace

void format_arguments(const TextSink& sink, std::string_view format, std::span<const FormatArgument> arguments) {
    std::size_t next = 0;
    std::size_t plain = 0;  // start of the text not yet written
    for (std::size_t at = 0; at < format.size();) {
        const char c = format[at++];
        if (c != '{' && c != '}') continue;
        emit(sink, format.substr(plain, at - 1 - plain));
        plain = at;
        if (at < format.size() && format[at] == c) {  // doubled: the second one starts the next plain text
            ++at;
            continue;
        }
        FormatField field;
        if (c == '}' || !parse_field(format, at, field) || next == arguments.size()) emit(sink, "?");
        else emit_argument(sink, field, arguments[next++]);
        plain = at;
    }
    emit(sink, format.substr(plain));
}

}  // namespace exo
