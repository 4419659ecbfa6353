// SPDX-License-Identifier: MIT
// The screen against memory that has a border: what is drawn, what is scrolled, and that no byte outside is touched.
#include <gtest/gtest.h>

#include <algorithm>
#include <arch/screen.hpp>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace hal::x86;

constexpr std::byte border{0xa5};

struct Display {
    ScreenShape shape;
    std::vector<std::byte> memory;
    std::unique_ptr<Screen> screen = std::make_unique<Screen>();

    explicit Display(const ScreenShape& given) : shape(given), memory(64 + shape.bytes() + 64, border) {
        EXPECT_TRUE(shape.plausible());
        screen->use(shape, memory.data() + 64);
    }
    bool border_intact() const {
        const auto untouched = [](std::byte b) { return b == border; };
        return std::all_of(memory.begin(), memory.begin() + 64, untouched) &&
               std::all_of(memory.end() - 64, memory.end(), untouched);
    }
    std::uint32_t pixel(unsigned x, unsigned y) const {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < shape.pixel_bytes; ++i)
            value |= std::uint32_t(memory[64 + y * shape.pitch + x * shape.pixel_bytes + i]) << (8 * i);
        return value;
    }
    char cell(unsigned row, unsigned column) const { return char(memory[64 + row * shape.pitch + column * 2]); }
    std::string line(unsigned row) const {
        std::string text;
        for (unsigned column = 0; column < shape.width; ++column) text += cell(row, column);
        return text.substr(0, text.find_last_not_of(' ') + 1);
    }
};

ScreenShape text_shape(unsigned width, unsigned height) { return {0xb8000, width * 2, width, height}; }
ScreenShape pixel_shape(unsigned width, unsigned height, unsigned bytes, unsigned extra_pitch = 0) {
    return {0x1000, width * bytes + extra_pitch, width, height, 0xffff'ffffu >> (32 - 8 * bytes), std::uint8_t(bytes)};
}

TEST(Font, EveryCharacterHasItsOwnPicture) {
    for (unsigned a = 0; a < font::count; ++a) {
        EXPECT_EQ(std::all_of(font::glyphs[a].begin(), font::glyphs[a].end(), [](auto row) { return row == 0; }),
                  a == 0);
        for (unsigned b = 0; b < a; ++b) EXPECT_NE(font::glyphs[a], font::glyphs[b]) << char(a + 32) << char(b + 32);
        for (const auto row : font::glyphs[a]) EXPECT_EQ(row & 1, 0) << "the last column parts the letters";
    }
    EXPECT_EQ(&font::glyph_of('\x01'), &font::glyphs[95]);
    EXPECT_EQ(&font::glyph_of('\xff'), &font::glyphs[95]);
    EXPECT_EQ(&font::glyph_of('A'), &font::glyphs['A' - 32]);
}

TEST(Screen, TextWrapsAndScrolls) {
    Display display(text_shape(10, 3));
    display.screen->write("abc\nlonger than ten\n");
    EXPECT_EQ(display.line(0), "longer tha");
    EXPECT_EQ(display.line(1), "n ten");
    EXPECT_EQ(display.line(2), "");
    display.screen->write("x\ry\tz\b!");
    EXPECT_EQ(display.line(2), "y       !");
    EXPECT_EQ(display.screen->row(), 2u);
    EXPECT_EQ(display.screen->column(), 9u);
    EXPECT_TRUE(display.border_intact());
}

TEST(Screen, AFullLineDoesNotWrapBeforeItMust) {
    Display display(text_shape(4, 2));
    display.screen->write("abcd\nefgh");
    EXPECT_EQ(display.line(0), "abcd");
    EXPECT_EQ(display.line(1), "efgh");
    EXPECT_EQ(display.screen->column(), 4u);
    display.screen->write("i");
    EXPECT_EQ(display.line(0), "efgh");
    EXPECT_EQ(display.line(1), "i");
}

TEST(Screen, WhatIsNoTextIsABlockAndHarmless) {
    Display display(text_shape(80, 25));
    std::string all;
    for (int c = 0; c < 256; ++c) all += char(c);
    for (int i = 0; i < 100; ++i) display.screen->write(all);
    EXPECT_TRUE(display.border_intact());
    Display two(text_shape(8, 1));
    two.screen->write("\x1b[1m");
    EXPECT_EQ(two.cell(0, 0), char(0xfe));
    EXPECT_EQ(two.cell(0, 1), '[');
}

TEST(Screen, GlyphsAreDrawnInEveryDepthAndPitch) {
    for (const unsigned bytes : {2u, 3u, 4u}) {
        for (const unsigned extra : {0u, 12u, 2u}) {
            Display display(pixel_shape(19, 33, bytes, extra));  // 2 x 2 letters and a rest
            display.screen->write("A\n B");
            for (unsigned y = 0; y < 33; ++y) {
                for (unsigned x = 0; x < 19; ++x) {
                    const char c = y < 16 && x < 8 ? 'A' : y >= 16 && y < 32 && x >= 8 && x < 16 ? 'B' : ' ';
                    const bool ink = font::glyph_of(c)[y % 16] >> (7 - x % 8) & 1;
                    ASSERT_EQ(display.pixel(x, y), ink ? display.shape.ink : 0u) << bytes << ' ' << x << ' ' << y;
                }
            }
            EXPECT_TRUE(display.border_intact());
        }
    }
}

TEST(Screen, ScrollingWritesOnlyWhatChanges) {
    Display display(pixel_shape(80, 48, 4));
    display.screen->write("same\nsame\nsame");
    std::fill(display.memory.begin() + 64, display.memory.end() - 64, std::byte{0x77});  // as if nobody could read it
    display.screen->write("\n");
    for (unsigned row = 0; row < 2; ++row) EXPECT_EQ(display.pixel(0, row * 16 + 4), 0x77777777u);
    EXPECT_EQ(display.pixel(0, 2 * 16 + 4), 0u);  // the last line became blank
}

TEST(Screen, LargeScreensGetLargeLetters) {
    Display display(pixel_shape(3840, 2160, 4));
    EXPECT_EQ(display.screen->columns(), 240u);
    EXPECT_EQ(display.screen->rows(), 67u);
    display.screen->write("I");
    EXPECT_EQ(display.pixel(7, 5), display.shape.ink);  // the stem's pixels are doubled
    EXPECT_EQ(display.pixel(6, 4), display.shape.ink);
    for (unsigned i = 0; i < 200; ++i) display.screen->write("line\n");
    EXPECT_TRUE(display.border_intact());
    Display huge(text_shape(300, 100));  // no adapter has it: the rest stays dark
    for (unsigned i = 0; i < 20'000; ++i) huge.screen->write("wide ");
    EXPECT_TRUE(huge.border_intact());
}

TEST(Screen, ImplausibleShapesAreRefused) {
    EXPECT_FALSE(ScreenShape{}.plausible());
    EXPECT_FALSE((ScreenShape{0, 160, 80, 25}).plausible());
    EXPECT_FALSE((ScreenShape{0xb8000, 159, 80, 25}).plausible());
    EXPECT_FALSE((ScreenShape{0x1000, 4096, 1025, 768, 1, 4}).plausible());
    EXPECT_FALSE((ScreenShape{0x1000, 4096, 4096, 768, 1, 1}).plausible());
    EXPECT_FALSE((ScreenShape{0x1000, 64, 8, 16, 1, 8}).plausible());
    EXPECT_FALSE((ScreenShape{0x1000, 28, 7, 16, 1, 4}).plausible());
    EXPECT_FALSE((ScreenShape{0x1000, ~0u, 1024, ~0u, 1, 4}).plausible());
    EXPECT_FALSE((ScreenShape{~0ull - 4096, 4096, 1024, 768, 1, 4}).plausible());
    EXPECT_FALSE((ScreenShape{0x1000, 4, 0x8000'0001, 16, 1, 4}).plausible());
}

TEST(Screen, OutOfReachItKeepsQuiet) {
    Display display(text_shape(10, 2));
    display.screen->write("ab");
    display.screen->move_to(nullptr);
    display.screen->write("cd");
    EXPECT_FALSE(display.screen->in_use());
    display.screen->move_to(display.memory.data() + 64);
    display.screen->write("ef");
    EXPECT_EQ(display.line(0), "abef");
}

}  // namespace
