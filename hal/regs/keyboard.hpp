// SPDX-License-Identifier: MIT
// Scan codes of set 1, as the 8042 translates them, to ASCII: US layout, shift and caps lock; everything that is no
// character is left out. Freestanding.
#pragma once
#include <cstdint>
#include <string_view>

namespace regs {

class KeyboardDecoder {
  public:
    static constexpr int none = -1;

    // The next byte from the controller; the character that it completes, or none. Enter is '\n', backspace '\b'.
    constexpr int feed(std::uint8_t code) {
        constexpr std::uint8_t extended = 0xe0, pause = 0xe1, released = 0x80;
        if (skip_ > 0) {
            --skip_;
            return none;
        }
        if (code == pause) {  // a fixed sequence of six, no release
            skip_ = 5;
            return none;
        }
        if (code == extended) {
            extended_ = true;
            return none;
        }
        const bool is_extended = extended_, is_release = code & released;
        extended_ = false;
        const std::uint8_t key = code & 0x7f;
        if (is_extended) return is_release ? none : extended_key(key);
        if (key == left_shift || key == right_shift) {
            const std::uint8_t bit = key == left_shift ? 1 : 2;
            shift_ = is_release ? shift_ & ~bit : shift_ | bit;
            return none;
        }
        if (is_release) return none;
        if (key == caps_lock) caps_ = !caps_;
        return character(key);
    }

  private:
    static constexpr std::uint8_t left_shift = 0x2a, right_shift = 0x36, caps_lock = 0x3a;
    // By scan code 0x00..0x39; '\0': no character. Then the number pad's own keys.
    static constexpr std::string_view plain{"\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ",
                                            0x3a};
    static constexpr std::string_view shifted{"\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ",
                                              0x3a};

    static constexpr int extended_key(std::uint8_t key) {  // of the number pad
        return key == 0x1c ? '\n' : key == 0x35 ? '/' : none;
    }
    constexpr int character(std::uint8_t key) const {
        if (key == 0x4a) return '-';
        if (key == 0x4e) return '+';
        if (key >= plain.size()) return none;
        const char lower = plain[key];
        const bool letter = lower >= 'a' && lower <= 'z';
        const bool upper = (shift_ != 0) != (letter && caps_);
        const char c = upper ? shifted[key] : lower;
        return c == '\0' ? none : c;
    }

    bool extended_ = false, caps_ = false;
    std::uint8_t shift_ = 0;  // bit per shift key
    std::uint8_t skip_ = 0;
};

}  // namespace regs
