// SPDX-License-Identifier: MIT
// Text on a screen that the boot loader set up: an 80x25 text buffer or a linear framebuffer. The text is kept here;
// what is on the screen is written when it changes and never read (reads of video memory are very slow). Pure: tested
// on the host.
#pragma once
#include <arch/font.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hal::x86 {

// What the loader said.
struct ScreenShape {
    std::uint64_t physical = 0;
    std::uint32_t pitch = 0, width = 0, height = 0;  // bytes a line; pixels, or characters of a text buffer
    std::uint32_t ink = 0;                           // framebuffer only: the pixel value of letters, on black (0)
    std::uint8_t pixel_bytes = 0;                    // 2, 3 or 4; 0: a text buffer

    static constexpr std::uint64_t bytes_max = 256u << 20;

    constexpr bool is_text() const { return pixel_bytes == 0; }
    constexpr std::uint64_t bytes() const { return std::uint64_t{pitch} * height; }
    // Nothing that is written lies outside bytes().
    constexpr bool plausible() const {
        if (physical == 0 || bytes() > bytes_max || physical > ~std::uint64_t{0} - bytes_max) return false;
        if (is_text()) return width >= 1 && height >= 1 && pitch >= std::uint64_t{width} * 2;
        return pixel_bytes >= 2 && pixel_bytes <= 4 && width >= font::width && height >= font::height &&
               pitch >= std::uint64_t{width} * pixel_bytes;
    }
};

// A colour component of a direct-colour framebuffer (Multiboot2 3.6.12), all its bits set.
constexpr std::uint32_t full_component(unsigned position, unsigned bits) {
    return position < 32 && bits < 32 ? ((std::uint32_t{1} << bits) - 1) << position : 0;
}

class Screen {
  public:
    static constexpr unsigned columns_max = 240, rows_max = 90;

    // Takes the screen over: blank. `memory` is where its bytes are seen; the shape is plausible.
    void use(const ScreenShape& shape, std::byte* memory) {
        shape_ = shape;
        // A 4K screen would have letters nobody can read: so many pixels a side that the text fits the limits.
        scale_ = 1;
        if (!shape.is_text()) {
            while (shape.width / (font::width * scale_) > columns_max ||
                   shape.height / (font::height * scale_) > rows_max)
                ++scale_;
        }
        const unsigned columns = shape.is_text() ? shape.width : shape.width / (font::width * scale_);
        const unsigned rows = shape.is_text() ? shape.height : shape.height / (font::height * scale_);
        columns_ = columns < columns_max ? columns : columns_max;
        rows_ = rows < rows_max ? rows : rows_max;
        column_ = row_ = 0;
        for (unsigned row = 0; row < rows_; ++row) {
            for (unsigned column = 0; column < columns_; ++column) {
                text_[row][column] = ' ';
                shown_[row][column] = 0;  // nothing: everything is painted once
            }
        }
        move_to(memory);
        if (!shape.is_text()) clear();
        changed_first_ = 0;
        changed_end_ = rows_;
        paint();
    }
    // The same screen at another address; nullptr: out of reach from now on.
    void move_to(std::byte* memory) { memory_ = memory; }
    bool in_use() const { return memory_ != nullptr; }
    const ScreenShape& shape() const { return shape_; }
    unsigned columns() const { return columns_; }
    unsigned rows() const { return rows_; }
    unsigned column() const { return column_; }
    unsigned row() const { return row_; }
    char at(unsigned row, unsigned column) const { return text_[row][column]; }

    void write(std::string_view text) {
        if (!in_use()) return;
        for (const char c : text) put(c);
        paint();
    }

  private:
    void changed(unsigned first, unsigned end) {
        if (first < changed_first_) changed_first_ = first;
        if (end > changed_end_) changed_end_ = end;
    }

    void put(char c) {
        switch (c) {
            case '\n':
                new_line();
                return;
            case '\r':
                column_ = 0;
                return;
            case '\b':
                if (column_ > 0) --column_;
                return;
            case '\t':
                do put(' ');
                while (column_ % 8 != 0);
                return;
        }
        if (column_ >= columns_) new_line();
        text_[row_][column_] = c;
        changed(row_, row_ + 1);
        ++column_;
    }

    void new_line() {
        column_ = 0;
        if (row_ + 1 < rows_) {
            ++row_;
            return;
        }
        for (unsigned row = 0; row + 1 < rows_; ++row)
            for (unsigned column = 0; column < columns_; ++column) text_[row][column] = text_[row + 1][column];
        for (unsigned column = 0; column < columns_; ++column) text_[rows_ - 1][column] = ' ';
        changed(0, rows_);
    }

    void paint() {
        for (unsigned row = changed_first_; row < changed_end_; ++row) {
            for (unsigned column = 0; column < columns_; ++column) {
                const char c = text_[row][column];
                if (shown_[row][column] == c) continue;
                shown_[row][column] = c;
                if (shape_.is_text()) draw_character(row, column, c);
                else draw_glyph(row, column, font::glyph_of(c));
            }
        }
        changed_first_ = rows_max;
        changed_end_ = 0;
    }

    void draw_character(unsigned row, unsigned column, char c) {
        constexpr std::uint16_t grey_on_black = 0x0700;
        constexpr std::uint16_t block = 0xfe;  // of the adapter's own font
        const auto byte = static_cast<unsigned char>(c);
        const std::uint16_t cell = grey_on_black | (byte >= 0x20 && byte < 0x7f ? byte : block);
        store(memory_ + row * shape_.pitch + column * 2, cell, 2);
    }

    void draw_glyph(unsigned row, unsigned column, const font::Glyph& glyph) {
        std::byte* line = memory_ + std::size_t{row} * font::height * scale_ * shape_.pitch +
                          std::size_t{column} * font::width * scale_ * shape_.pixel_bytes;
        for (unsigned y = 0; y < font::height * scale_; ++y, line += shape_.pitch) {
            const unsigned bits = glyph[y / scale_];
            std::byte* pixel = line;
            for (unsigned x = 0; x < font::width * scale_; ++x, pixel += shape_.pixel_bytes)
                store(pixel, bits & 0x80u >> x / scale_ ? shape_.ink : 0, shape_.pixel_bytes);
        }
    }

    void clear() {
        constexpr std::uint64_t black = 0;
        std::byte* line = memory_;
        for (unsigned y = 0; y < shape_.height; ++y, line += shape_.pitch) {
            std::byte *to = line, *const end = line + shape_.width * shape_.pixel_bytes;
            for (; end - to >= 8; to += 8) __builtin_memcpy(to, &black, 8);
            for (; to != end; ++to) *to = std::byte{0};
        }
    }

    // Little-endian, in as few accesses as the size allows.
    static void store(std::byte* to, std::uint32_t value, unsigned bytes) {
        if (bytes == 4) {
            __builtin_memcpy(to, &value, 4);
        } else {
            __builtin_memcpy(to, &value, 2);
            if (bytes == 3) to[2] = std::byte(value >> 16);
        }
    }

    ScreenShape shape_{};
    std::byte* memory_ = nullptr;
    unsigned scale_ = 0, columns_ = 0, rows_ = 0, column_ = 0, row_ = 0;
    unsigned changed_first_ = 0, changed_end_ = 0;  // rows in which text_ and shown_ may differ
    char text_[rows_max][columns_max]{}, shown_[rows_max][columns_max]{};
};

}  // namespace hal::x86
