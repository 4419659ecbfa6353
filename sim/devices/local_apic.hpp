// SPDX-License-Identifier: GPL-2.0-or-later
// The local APIC of one CPU in xAPIC mode (SDM 3A 11, APM2 16): its timer, and the choice of the next interrupt.
//
// Time is the guest clock in ticks of the time-stamp counter, handed in by the caller; the timer counts at lapic_hz
// through its divider. Nothing here reads a host clock.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/devices/external_interrupts.hpp>

namespace sim {

class LocalApic {
  public:
    static constexpr std::uint64_t never = ~0ull;
    static constexpr std::uint64_t jitter_ticks = 1024;  // a jittered deadline is 0 .. jitter_ticks - 1 ticks late

    // With a seed, every expiry of the timer is late by a number of ticks that follows from the seed and from how many
    // expiries came before it.
    explicit LocalApic(std::optional<std::uint64_t> jitter_seed) : jitter_seed_(jitter_seed) {}

    // What is on its LINT0 input, in ExtINT mode as a PC's firmware leaves it; it must live as long.
    void connect(ExternalInterrupts&);

    // Registers are 32 bits at multiples of 16; others read 0 and ignore writes.
    std::uint32_t read(std::uint32_t offset, std::uint64_t now_ticks);
    void write(std::uint32_t offset, std::uint32_t value, std::uint64_t now_ticks);

    // When the timer's next interrupt becomes pending; `never` if it is not armed or is masked.
    std::uint64_t deadline_ticks() const;
    void advance(std::uint64_t now_ticks);  // makes pending what is due
    bool raise_timer();                     // the timer's interrupt, out of turn; false if it is masked

    std::optional<std::uint8_t> pending() const;  // the vector that the CPU would take if it allows interrupts
    void accept(std::uint8_t vector);             // the CPU takes it: from requested to in service

  private:
    using Vectors = std::array<std::uint32_t, 8>;  // a bit a vector
    static int highest(const Vectors&);            // -1: none
    unsigned processor_priority() const;
    bool timer_enabled() const;
    std::uint64_t count_ticks() const;  // ticks a count of the timer
    void arm(std::uint64_t now_ticks);
    void set_expiry(std::uint64_t expiry_ticks);
    bool request(std::uint32_t vector);
    std::optional<std::uint8_t> own_pending() const;  // not from LINT0
    bool passes_external() const;

    ExternalInterrupts* external_ = nullptr;
    std::optional<std::uint64_t> jitter_seed_;
    std::uint64_t expiries_ = 0;  // armed so far: numbers the jitter
    Vectors requested_{}, in_service_{};
    std::uint32_t id_ = 0, task_priority_ = 0, spurious_ = 0xff, error_ = 0, icr_low_ = 0, icr_high_ = 0;
    std::uint32_t lvt_timer_ = 1u << 16, lvt_lint0_ = 1u << 16, lvt_lint1_ = 1u << 16, lvt_error_ = 1u << 16;
    std::uint32_t divide_ = 0, initial_ = 0;
    std::uint64_t started_ticks_ = 0;       // when the current count began
    std::uint64_t expiry_ticks_ = never;    // when the count reaches zero
    std::uint64_t deadline_ticks_ = never;  // the same plus jitter
};

}  // namespace sim
