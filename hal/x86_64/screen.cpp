// SPDX-License-Identifier: MIT
// The machine's one screen (arch/screen.hpp), and the hardware cursor of a text buffer.
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <arch/screen.hpp>
#include <regs/pc.hpp>

namespace hal::x86 {

namespace {

constinit ScreenShape announced{};
constinit Screen screen{};

void crtc_write(std::uint8_t index, unsigned value) {
    out8(regs::port::crtc_index, index);
    out8(regs::port::crtc_data, std::uint8_t(value));
}

void show_cursor() {
    constexpr std::uint8_t location_high = 0x0e, location_low = 0x0f;
    const unsigned location = screen.row() * announced.width + screen.column();
    crtc_write(location_high, location >> 8);
    crtc_write(location_low, location);
}

}  // namespace

void screen_announced(const ScreenShape& shape) { announced = shape; }
const ScreenShape& screen_shape() { return announced; }

void screen_init(std::byte* memory) {
    if (memory != nullptr) screen.use(announced, memory);
}

// One that was out of reach until now begins blank: what was written before is on the serial line only.
void screen_moved(std::byte* memory) {
    if (memory != nullptr && !screen.in_use()) screen.use(announced, memory);
    else screen.move_to(memory);
}

void screen_write(std::string_view text) {
    if (!screen.in_use()) return;
    screen.write(text);
    if (announced.is_text()) show_cursor();
}

}  // namespace hal::x86
