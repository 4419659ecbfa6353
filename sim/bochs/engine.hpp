// SPDX-License-Identifier: GPL-2.0-or-later
// Bochs as an engine: it runs free to a mark, then its debugger traces a window from there. Slow (some 10 k
// instructions a second), exact, and with a CPU that neither Unicorn nor QEMU has.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <sim/engine.hpp>
#include <string>

namespace sim {

inline constexpr std::uint64_t bochs_window_most = 1'000'000;  // instructions
inline constexpr std::uint64_t bochs_occurrence_most = 100'000;

// From the `number`-th begin of the mark to its end, that instruction included, or for `count` instructions.
struct BochsWindow {
    std::string mark;
    std::uint64_t number = 1;  // 1 .. bochs_occurrence_most
    std::set<std::uint64_t> begins, ends;
    std::optional<std::uint64_t> count;
};

// `make_image` writes an ISO that boots the kernel with this command line at once.
std::unique_ptr<Engine> make_bochs_engine(
    BochsWindow, std::function<void(const std::filesystem::path& iso, const std::string& command_line)> make_image);

}  // namespace sim
