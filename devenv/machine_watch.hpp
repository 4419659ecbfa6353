// SPDX-License-Identifier: GPL-2.0-or-later
// What a machine says on its serial line, as it comes in pieces: text to show, results, the end. Pure. Whatever comes,
// what is kept and shown is bounded.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

struct MachineResult {
    std::string name, unit;
    std::uint64_t value = 0;
};

enum class MachineEnd { none, passed, failed, panic };

class MachineWatch {
  public:
    static constexpr std::uint64_t shown_max = 1u << 20;   // bytes of console that are shown
    static constexpr std::uint64_t taken_max = 64u << 20;  // bytes that are read at all
    static constexpr std::size_t line_max = 4096;          // of a longer line only so much is looked at
    static constexpr std::size_t results_max = 1000;

    explicit MachineWatch(std::function<void(std::string_view)> show) : show_(std::move(show)) {}

    void take(std::string_view bytes);

    MachineEnd end() const { return end_; }
    const std::string& end_line() const { return end_line_; }
    // The last of each name since the machine's last start, in the order of their first.
    const std::vector<MachineResult>& results() const { return results_; }
    std::uint64_t damaged_results() const { return damaged_; }  // wrong checksum, or no result's shape
    unsigned starts() const { return starts_; }                 // the kernel's first line was seen
    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t unprintable() const { return unprintable_; }
    bool flooded() const { return bytes_ > taken_max; }
    bool cut() const { return bytes_ > shown_max; }
    const std::string& console() const { return console_; }  // what was shown

  private:
    void show(char c);
    void line(std::string_view);
    void result(std::string_view);

    std::function<void(std::string_view)> show_;
    std::string pending_, line_, console_, end_line_;
    std::vector<MachineResult> results_;
    MachineEnd end_ = MachineEnd::none;
    std::uint64_t bytes_ = 0, damaged_ = 0, unprintable_ = 0;
    unsigned starts_ = 0;
};

// "exo-result 1 ..." as kernel/abi/result.hpp says; empty name: damaged.
MachineResult parse_result(std::string_view line);

}  // namespace devenv
