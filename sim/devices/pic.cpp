// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/devices/pic.hpp>

namespace sim {

namespace {
constexpr std::uint8_t bit(unsigned n) { return std::uint8_t(1u << n); }
constexpr std::uint8_t word1 = 0x10, word1_needs_word4 = 1, word1_single = 2, word1_level = 8;  // ICW1
constexpr std::uint8_t word4_automatic_end = 2;                                                 // ICW4
constexpr std::uint8_t command3 = 0x08;                                                         // OCW3, else OCW2
}  // namespace

void Pic8259::set_line(unsigned input, bool high) {
    const std::uint8_t mask = bit(input);
    if (high && !(lines_ & mask)) requested_ |= mask;
    if (!high) requested_ &= std::uint8_t(~mask);
    lines_ = std::uint8_t(high ? lines_ | mask : lines_ & ~mask);
}

unsigned Pic8259::highest_of(std::uint8_t inputs) const {
    for (unsigned i = 0; i < 8; ++i)
        if (const unsigned input = (lowest_ + 1 + i) % 8; inputs & bit(input)) return input;
    return none;
}

// Only an input of higher priority than those in service counts; in special mask mode every one that is not in service.
unsigned Pic8259::highest_request() const {
    const std::uint8_t open = requested() & std::uint8_t(~mask_);
    if (special_mask_) return highest_of(open & std::uint8_t(~in_service_));
    const unsigned request = highest_of(open), service = highest_of(in_service_);
    return request < none && (service == none || rank(request) < rank(service)) ? request : none;
}

std::uint8_t Pic8259::acknowledge() {
    const unsigned input = highest_request();
    if (input == none) return base_ + 7;
    requested_ &= std::uint8_t(~bit(input));
    if (!automatic_end_) in_service_ |= bit(input);
    else if (rotate_) lowest_ = input;
    return std::uint8_t(base_ + input);
}

std::uint8_t Pic8259::read(unsigned port) {
    if (poll_) {
        poll_ = false;
        const bool any = requests();
        return std::uint8_t((any ? 0x80 : 0) | ((acknowledge() - base_) & 7));
    }
    if (port) return mask_;
    return read_service_ ? in_service_ : requested();
}

void Pic8259::write(unsigned port, std::uint8_t value) {
    if (!port) return value & word1 ? initialise(value) : command(value);
    switch (expected_) {
        case 2:
            base_ = value & 0xf8;
            expected_ = !single_ ? 3 : needs_word4_ ? 4 : 0;
            return;
        case 3:  // who is where: on a PC the second one is on input 2
            expected_ = needs_word4_ ? 4 : 0;
            return;
        case 4:
            automatic_end_ = value & word4_automatic_end;
            expected_ = 0;
            return;
        default:
            mask_ = value;
    }
}

void Pic8259::initialise(std::uint8_t value) {
    needs_word4_ = value & word1_needs_word4;
    single_ = value & word1_single;
    level_ = value & word1_level;
    expected_ = 2;
    requested_ = in_service_ = mask_ = 0;
    lowest_ = 7;
    automatic_end_ = rotate_ = special_mask_ = read_service_ = poll_ = false;
}

void Pic8259::command(std::uint8_t value) {
    if (!(value & command3)) return end_of_interrupt(value);
    if (value & 4) poll_ = true;
    if (value & 2) read_service_ = value & 1;
    if (value & 0x40) special_mask_ = value & 0x20;
}

void Pic8259::end_of_interrupt(std::uint8_t value) {
    const unsigned named = value & 7;
    switch (value >> 5) {
        case 1:    // non-specific end
        case 5: {  // the same, and that input becomes the lowest
            const unsigned input = highest_of(in_service_);
            if (input == none) return;
            in_service_ &= std::uint8_t(~bit(input));
            if (value >> 5 == 5) lowest_ = input;
            return;
        }
        case 3:  // specific end
        case 7:
            in_service_ &= std::uint8_t(~bit(named));
            if (value >> 5 == 7) lowest_ = named;
            return;
        case 6:
            lowest_ = named;
            return;
        default:
            rotate_ = value & 0x80;  // on automatic ends
    }
}

void PicPair::set_line(unsigned irq, bool high) {
    if (irq < 8) return first_.set_line(irq, high);
    second_.set_line(irq - 8, high);
    cascade();
}

std::uint8_t PicPair::acknowledge() {
    constexpr std::uint8_t cascade_input = 2;
    const bool any = first_.requests();
    const std::uint8_t vector = first_.acknowledge();
    if (!any || (vector & 7) != cascade_input) return vector;
    const std::uint8_t of_second = second_.acknowledge();
    cascade();
    return of_second;
}

std::uint8_t PicPair::read(std::uint16_t port) {
    Pic8259& pic = port & 0x80 ? second_ : first_;
    const std::uint8_t value = pic.read(port & 1);
    cascade();
    return value;
}

void PicPair::write(std::uint16_t port, std::uint8_t value) {
    Pic8259& pic = port & 0x80 ? second_ : first_;
    pic.write(port & 1, value);
    cascade();
}

}  // namespace sim
