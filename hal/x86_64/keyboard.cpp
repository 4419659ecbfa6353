// SPDX-License-Identifier: MIT
// The PS/2 keyboard behind the 8042, polled. The controller is set up when somebody first reads: a machine without one
// (its status port reads ones) costs nothing.
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <hal/cpu.hpp>
#include <regs/keyboard.hpp>
#include <regs/pc.hpp>

namespace hal::x86 {

namespace {

using namespace regs;

constexpr std::uint8_t output_full = 0x01, input_full = 0x02, from_mouse = 0x20, nothing_there = 0xff;  // status
constexpr unsigned spins_max = 20'000;  // a port read takes about a microsecond

constinit KeyboardDecoder decoder{};
enum class Controller : std::uint8_t { unknown, absent, ready };
constinit Controller controller = Controller::unknown;

bool wait_for(std::uint8_t bit, bool set) {
    for (unsigned spin = 0; spin < spins_max; ++spin) {
        if (((in8(port::keyboard_status) & bit) != 0) == set) return true;
        relax();
    }
    return false;
}
void drop_output() {
    for (unsigned i = 0; i < 64 && (in8(port::keyboard_status) & output_full); ++i) in8(port::keyboard_data);
}
bool command(std::uint8_t value) {
    if (!wait_for(input_full, false)) return false;
    out8(port::keyboard_status, value);
    return true;
}
bool send(std::uint8_t value) {
    if (!wait_for(input_full, false)) return false;
    out8(port::keyboard_data, value);
    return true;
}

// Translation to set 1 on, keyboard on, mouse off, no interrupts; then the keyboard is told to scan.
Controller set_up() {
    constexpr std::uint8_t disable_keyboard = 0xad, disable_mouse = 0xa7, enable_keyboard = 0xae, read_config = 0x20,
                           write_config = 0x60, keyboard_scan = 0xf4;
    constexpr std::uint8_t interrupts = 0x03, keyboard_off = 0x10, mouse_off = 0x20, translate = 0x40;
    if (in8(port::keyboard_status) == nothing_there) return Controller::absent;
    if (!command(disable_keyboard) || !command(disable_mouse)) return Controller::absent;
    drop_output();
    if (!command(read_config) || !wait_for(output_full, true)) return Controller::absent;
    const std::uint8_t config = in8(port::keyboard_data);
    const auto wanted = std::uint8_t((config & ~(interrupts | keyboard_off)) | mouse_off | translate);
    if (!command(write_config) || !send(wanted) || !command(enable_keyboard)) return Controller::absent;
    if (send(keyboard_scan)) wait_for(output_full, true);  // its acknowledgement
    drop_output();
    return Controller::ready;
}

}  // namespace

int keyboard_read() {
    if (controller == Controller::unknown) controller = set_up();
    if (controller == Controller::absent) return -1;
    for (unsigned i = 0; i < 16; ++i) {
        const std::uint8_t status = in8(port::keyboard_status);
        if (!(status & output_full) || status == nothing_there) return -1;
        const std::uint8_t code = in8(port::keyboard_data);
        if (status & from_mouse) continue;
        const int c = decoder.feed(code);
        if (c != KeyboardDecoder::none) return c;
    }
    return -1;
}

}  // namespace hal::x86
