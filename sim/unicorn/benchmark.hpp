// SPDX-License-Identifier: GPL-2.0-or-later
// What the engine's own work is measured against: a hot loop that every layer can run, and the bare Unicorn library
// running it, without hooks or with one that only counts. Not part of any simulation.
#pragma once
#include <cstdint>
#include <memory>
#include <sim/image/image.hpp>

namespace sim::unicorn {

// 22 instructions with 10 memory accesses, a call and a branch that is hard to predict, over and over; data and stack
// are mapped NX. Has a PVH note: QEMU runs it too. Ends by power-off, and by HLT where nobody answers that port.
// Reports no progress and takes no input.
std::unique_ptr<Image> benchmark_guest(std::uint64_t iterations);

enum class RawHook : std::uint8_t { none, counting };

// One run of such a guest (it must end by itself, without interrupts or devices) in the bare library.
class RawRun {
  public:
    RawRun(const Image&, RawHook);  // loads the guest; throws EngineError
    ~RawRun();
    RawRun(const RawRun&) = delete;
    RawRun& operator=(const RawRun&) = delete;
    // To the guest's HLT: once. Instructions executed, 0 without the counting hook. Throws EngineError if it ends
    // otherwise.
    std::uint64_t run();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sim::unicorn
