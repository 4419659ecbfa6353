// SPDX-License-Identifier: GPL-2.0-or-later
// The two 8259A interrupt controllers of a PC (Intel data sheet 231468): the second one on input 2 of the first.
//
// Edge-triggered inputs latch a request when they rise and lose it when they fall before it was acknowledged, as the
// chip does; who then acknowledges gets the spurious vector of input 7.
#pragma once
#include <cstdint>

namespace sim {

class Pic8259 {
  public:
    explicit Pic8259(std::uint8_t vectors) : base_(vectors) {}

    void set_line(unsigned input, bool high);
    bool requests() const { return highest_request() < none; }  // its INT output
    std::uint8_t acknowledge();                                 // the vector; 7 + base if nothing is requested any more
    bool masks(unsigned input) const { return mask_ >> input & 1; }

    std::uint8_t read(unsigned port);  // 0 or 1: address line A0
    void write(unsigned port, std::uint8_t value);

  private:
    static constexpr unsigned none = 8;
    unsigned rank(unsigned input) const { return (input + 7 - lowest_) % 8; }  // 0: the highest priority
    unsigned highest_of(std::uint8_t inputs) const;                            // `none` if there is none
    unsigned highest_request() const;
    std::uint8_t requested() const { return level_ ? lines_ : requested_; }
    void initialise(std::uint8_t value);
    void command(std::uint8_t value);
    void end_of_interrupt(std::uint8_t value);

    std::uint8_t base_;
    std::uint8_t lines_ = 0, requested_ = 0, in_service_ = 0, mask_ = 0xff;
    unsigned lowest_ = 7;    // input of the lowest priority
    unsigned expected_ = 0;  // initialisation command words to come: 2, 3, 4; 0: none
    bool single_ = false, needs_word4_ = false, level_ = false, automatic_end_ = false, rotate_ = false;
    bool special_mask_ = false, read_service_ = false, poll_ = false;
};

class PicPair {
  public:
    void set_line(unsigned irq, bool high);  // 0..15, not 2
    bool requests() const { return first_.requests(); }
    std::uint8_t acknowledge();
    // Would a request on this input reach the CPU as far as masks go?
    bool masks(unsigned irq) const { return irq < 8 ? first_.masks(irq) : first_.masks(2) || second_.masks(irq - 8); }

    static bool owns(std::uint16_t port) { return (port & ~0x81u) == 0x20; }  // 20, 21, a0, a1
    std::uint8_t read(std::uint16_t port);
    void write(std::uint16_t port, std::uint8_t value);

  private:
    void cascade() { first_.set_line(2, second_.requests()); }
    Pic8259 first_{0x08}, second_{0x70};  // where a PC's firmware leaves them
};

}  // namespace sim
