// SPDX-License-Identifier: MIT
// Formatting beside snprintf, and with formats nobody would write.
#include <gtest/gtest.h>

#include <cstdio>
#include <lib/text.hpp>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace exo {
namespace {

struct StringWriter {
    void write(std::string_view piece) { text += piece; }
    std::string text;
};

template <typename... Args>
std::string formatted(CheckedFormat<std::type_identity_t<Args>...> format, const Args&... args) {
    StringWriter writer;
    format_to(writer, format, args...);
    return writer.text;
}

std::string run(std::string_view format, std::span<const FormatArgument> arguments) {
    StringWriter writer;
    format_arguments(text_sink(writer), format, arguments);
    return writer.text;
}

static_assert(count_fields("a {} b {:>8x} {{}}") == 2);
static_assert(count_fields("{") == -1 && count_fields("}") == -1 && count_fields("{:") == -1);
static_assert(count_fields("{:256}") == -1 && count_fields("{:255}") == 1 && count_fields("{:<08}") == -1);
static_assert(count_fields("{x}") == -1 && count_fields("{:q}") == -1 && count_fields("{ }") == -1);

TEST(Text, PlainArguments) {
    EXPECT_EQ(formatted("nothing"), "nothing");
    EXPECT_EQ(formatted(""), "");
    EXPECT_EQ(formatted("{} {} {}", 1, -2, 3u), "1 -2 3");
    EXPECT_EQ(formatted("{{{}}}", 5), "{5}");
    EXPECT_EQ(formatted("{}{}", true, false), "truefalse");
    EXPECT_EQ(formatted("{}|{}", 'x', "text"), "x|text");
    EXPECT_EQ(formatted("{}", std::string_view("view")), "view");
    EXPECT_EQ(formatted("{}", static_cast<const char*>(nullptr)), "(null)");
    EXPECT_EQ(formatted("{}", std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(formatted("{}", std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(formatted("{}", static_cast<signed char>(-128)), "-128");
    EXPECT_EQ(formatted("{}", reinterpret_cast<void*>(0xabc)), "0xabc");
    EXPECT_EQ(formatted("{}", hal::PhysAddr(0x1000)), "0x1000");
}

TEST(Text, Columns) {
    EXPECT_EQ(formatted("[{:5}]", 42), "[   42]");
    EXPECT_EQ(formatted("[{:<5}]", 42), "[42   ]");
    EXPECT_EQ(formatted("[{:05}]", -42), "[-0042]");
    EXPECT_EQ(formatted("[{:#06x}]", 255), "[0x00ff]");
    EXPECT_EQ(formatted("[{:X}]", 0xbeefu), "[BEEF]");
    EXPECT_EQ(formatted("[{:6}]", "ab"), "[ab    ]");
    EXPECT_EQ(formatted("[{:>6}]", "ab"), "[    ab]");
    EXPECT_EQ(formatted("[{:2}]", "longer"), "[longer]");
    EXPECT_EQ(formatted("[{:018}]", hal::VirtAddr(0x12)), "[0x0000000000000012]");
    EXPECT_EQ(formatted("{:40}|", ""), std::string(40, ' ') + "|");
}

TEST(Text, NumbersMatchSnprintf) {
    std::mt19937_64 random(4);
    for (int step = 0; step < 50000; ++step) {
        const std::uint64_t bits = random() >> (random() % 64);
        const auto number = static_cast<std::int64_t>(random() % 2 != 0 ? bits : ~bits + 1);
        const unsigned width = static_cast<unsigned>(random() % 30);
        const unsigned style = static_cast<unsigned>(random() % 6);
        char format[32], reference[32];
        const char* const ours[] = {"{:%u}", "{:0%u}", "{:<%u}", "{:%ux}", "{:0%ux}", "{:%uX}"};
        const char* const theirs[] = {"%%%uld", "%%0%uld", "%%-%uld", "%%%ulx", "%%0%ulx", "%%%ulX"};
        const bool hex = style >= 3;
        std::snprintf(format, sizeof format, ours[style], width);
        std::snprintf(reference, sizeof reference, theirs[style], width);
        if (width == 0) {  // a width of 0 is no width
            std::snprintf(format, sizeof format, "%s", hex ? (style == 5 ? "{:X}" : "{:x}") : "{:}");
            std::snprintf(reference, sizeof reference, "%s", hex ? (style == 5 ? "%lX" : "%lx") : "%ld");
        }
        char expected[64];
        std::snprintf(expected, sizeof expected, reference, number);
        const FormatArgument argument =
            hex ? format_argument(static_cast<std::uint64_t>(number)) : format_argument(number);
        ASSERT_EQ(run(format, {&argument, 1}), expected) << format << " of " << number;
    }
}

// Whatever the format, the engine stays inside it and inside its arguments, and agrees with the checker.
TEST(Text, HostileFormatsAreHarmless) {
    std::mt19937_64 random(5);
    const std::string alphabet = "{}{}{}:<>#0123456789xXabc ";
    const FormatArgument arguments[] = {format_argument(-7), format_argument("text"), format_argument('c')};
    for (int step = 0; step < 100000; ++step) {
        std::vector<char> format(random() % 24);
        for (char& c : format)
            c = random() % 8 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
        const std::string_view text(format.data(), format.size());
        const std::size_t given = random() % 4;
        const std::string result = run(text, {arguments, given});
        ASSERT_LE(result.size(), 24u + 8 * 256);
        if (count_fields(text) == 0 && text.find_first_of("{}") == std::string_view::npos) {
            ASSERT_EQ(result, text);
        }
        if (count_fields(text) >= 0 && static_cast<std::size_t>(count_fields(text)) <= given &&
            text.find('?') == std::string_view::npos) {
            ASSERT_EQ(result.find('?'), std::string::npos) << std::string(text);
        }
    }
}

TEST(Text, ABufferKeepsWhatFits) {
    TextBuffer<8> buffer;
    buffer.format("{:4}", 1);
    EXPECT_EQ(buffer.view(), "   1");
    EXPECT_FALSE(buffer.truncated());
    buffer.format("{}", 12345);
    EXPECT_EQ(buffer.view(), "   11234");
    EXPECT_TRUE(buffer.truncated());
    buffer.clear();
    EXPECT_EQ(buffer.view(), "");
    EXPECT_FALSE(buffer.truncated());
}

TEST(Text, ASinkIsAWriter) {
    std::string text;
    const hal::TextSink sink{[](void* self, std::string_view piece) { *static_cast<std::string*>(self) += piece; },
                             &text};
    format_to(sink, "{}-{}", 1, 2);
    EXPECT_EQ(text, "1-2");
}

}  // namespace
}  // namespace exo
