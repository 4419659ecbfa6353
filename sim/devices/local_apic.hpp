// SPDX-License-Identifier: GPL-2.0-or-later
// The local APIC of one CPU in xAPIC mode (SDM 3A 11, APM2 16): its timer, messages between CPUs, and the choice of the
// next interrupt.
//
// Time is the guest clock of this CPU in ticks of the time-stamp counter, handed in by the caller; the timer counts at
// lapic_hz through its divider. Nothing here reads a host clock.
//
// A message from another CPU is posted with the time at which it arrives. Interrupts then become pending; INIT and
// start-up messages wait for the CPU to take them.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <sim/devices/external_interrupts.hpp>
#include <vector>

namespace sim {

class LocalApic {
  public:
    static constexpr std::uint64_t never = ~0ull;
    static constexpr std::uint64_t jitter_ticks = 1024;  // a jittered deadline is 0 .. jitter_ticks - 1 ticks late

    enum class Delivery : std::uint8_t { fixed, init, start_up };
    struct Message {
        Delivery delivery;
        std::uint8_t vector;
    };
    enum class Shorthand : std::uint8_t { none, self, all, others };
    struct Command {  // what a write to the interrupt command register asks for
        Message message;
        Shorthand shorthand;
        bool logical;
        std::uint8_t destination;
    };

    // With a seed, every expiry of the timer is late by a number of ticks that follows from the seed and from how many
    // expiries came before it.
    LocalApic(std::uint8_t id, std::optional<std::uint64_t> jitter_seed) : jitter_seed_(jitter_seed), own_id_(id) {
        reset();
    }

    // What is on its LINT0 input, in ExtINT mode as a PC's firmware leaves it; it must live as long.
    void connect(ExternalInterrupts&);

    // Registers are 32 bits at multiples of 16; others read 0 and ignore writes.
    std::uint32_t read(std::uint32_t offset, std::uint64_t now_ticks);
    void write(std::uint32_t offset, std::uint32_t value, std::uint64_t now_ticks);

    // When the timer's next interrupt becomes pending or the next message arrives, whichever is first; `never` if the
    // timer is not armed or is masked and no message is on its way.
    std::uint64_t deadline_ticks() const;
    std::uint64_t message_ticks() const { return posted_.empty() ? never : posted_.front().at; }
    void advance(std::uint64_t now_ticks);  // makes pending what is due
    bool raise_timer();                     // the timer's interrupt, out of turn; false if it is masked

    std::optional<std::uint8_t> pending() const;  // the vector that the CPU would take if it allows interrupts
    void accept(std::uint8_t vector);             // the CPU takes it: from requested to in service

    // What was last written to the command register for other CPUs, once. An interrupt to itself is requested at once.
    std::optional<Command> take_command();
    bool is_destination(bool logical, std::uint8_t destination) const;
    void post(Message, std::uint64_t arrival_ticks);
    // An INIT or start-up message that has arrived, oldest first, once. INIT has reset this APIC then.
    std::optional<Message> take_signal();
    bool has_signal() const { return !signals_.empty(); }

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
    void reset();
    void arrive(Message);
    void command(std::uint32_t low);

    struct Posted {
        std::uint64_t at;
        Message message;
    };
    std::vector<Posted> posted_;  // by arrival; in order of posting among equals
    std::vector<Message> signals_;
    std::optional<Command> command_;
    std::optional<std::uint64_t> jitter_seed_;
    std::uint8_t own_id_;
    std::uint64_t expiries_ = 0;  // armed so far: numbers the jitter
    Vectors requested_{}, in_service_{};
    std::uint32_t id_, task_priority_, spurious_, error_, icr_low_, icr_high_, logical_id_, logical_format_;
    std::uint32_t lvt_timer_, lvt_lint0_, lvt_lint1_, lvt_error_;
    std::uint32_t divide_, initial_;
    std::uint64_t started_ticks_ = 0;       // when the current count began
    std::uint64_t expiry_ticks_ = never;    // when the count reaches zero
    std::uint64_t deadline_ticks_ = never;  // the same plus jitter
};

}  // namespace sim
