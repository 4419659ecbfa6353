// SPDX-License-Identifier: GPL-2.0-or-later
// What hangs on a local APIC's LINT0 input in ExtINT mode, the 'virtual wire': an interrupt controller of its own that
// tells the vector when the CPU acknowledges. Times are ticks of the guest clock.
#pragma once
#include <cstdint>

namespace sim {

class ExternalInterrupts {
  public:
    virtual ~ExternalInterrupts() = default;
    virtual void advance(std::uint64_t now_ticks) = 0;  // what is due by then has happened
    virtual bool requests() const = 0;                  // its INTR line
    virtual std::uint8_t next_vector() const = 0;       // what `acknowledge` would answer
    virtual std::uint8_t acknowledge() = 0;             // the CPU takes it
    virtual std::uint64_t deadline_ticks() const = 0;   // when the line may rise by the clock alone; ~0: never
};

}  // namespace sim
