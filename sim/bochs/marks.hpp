// SPDX-License-Identifier: GPL-2.0-or-later
// Bochs run from mark to mark: its debugger stops at each, tells the CPU's state and goes on. The debugger's commands
// come through a FIFO, because which of them come next depends on where it has stopped.
#pragma once
#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <sim/engine.hpp>
#include <sim/mark_stop.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

// Bochs 2.7 has room for 16 breakpoints of each kind: at a linear address, and at an offset in a segment.
inline constexpr std::size_t bochs_linear_most = 16, bochs_places_most = 32;
struct MarkPlace {
    std::uint64_t address;                  // virtual
    std::optional<std::uint16_t> selector;  // of CS there, if it is known
};

struct BochsMarks {
    std::string cpu;                     // its model; empty: the default one
    std::vector<MarkPlace> places;       // to stop at, 1 .. bochs_places_most, no more of them without a selector than
                                         // bochs_linear_most; different ones
    unsigned each = mark_stops_default;  // of one address: the first ones
    std::string command_line;
    std::uint64_t ram_bytes = 128ull << 20;  // whole MiB
    const std::atomic<bool>* stop = nullptr;
    std::atomic<std::uint64_t>* progress = nullptr;  // stops so far
    std::function<void(const std::filesystem::path& iso, const std::string& command_line)> make_image;
};

struct BochsStops {
    std::string version, cpu;
    std::vector<MarkStop> stops;
    bool complete = false;  // the guest ended, or every mark has been seen often enough
    bool interrupted = false, reset = false, silent = false;
    std::string end;  // one line for people
};

// Of 64-bit code only: what firmware and boot loader execute at a mark's address is passed over. Throws EngineError,
// ProcessError.
BochsStops run_bochs_to_marks(const BochsMarks&);

}  // namespace sim
