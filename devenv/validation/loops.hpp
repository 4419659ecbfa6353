// SPDX-License-Identifier: GPL-2.0-or-later
// The classic loops (copies, pointer chases, strides, branches, forwarding) on this CPU and in the model: the very same
// bytes of machine code (loop_code.S), run here, and run once more by an emulator that tells the model what they did.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace devenv {

using LoopCode = std::uint64_t (*)(std::byte* memory, std::uint64_t bytes, std::uint64_t parameter,
                                   std::uint64_t count);

enum class LoopData : std::uint8_t {
    zeros,
    chase,         // each line holds the address of another, in one random cycle; parameter: bytes from line to line
    random_bytes,  // the same each time
    threads,       // stacks so many bytes apart (parameter), at 64 bytes from where each begins the next one's address
    patterned,     // the same 16 random bytes again and again
};

struct Loop {
    std::string id, title;
    LoopCode code;  // null: the mailbox, which is two threads
    LoopData data = LoopData::zeros;
    std::uint64_t bytes = 0, parameter = 0;
    std::uint64_t count = 0;   // a batch
    double units = 1;          // what figures are told of, a count: lines, bytes/64, iterations
    bool by_memory = false;    // compared as a ratio to the pointer chase through memory
    std::uint64_t also = 0;    // bytes of memory beyond `bytes`
    bool small_pages = false;  // of 4 KiB; else of 2 MiB
};

std::span<const Loop> classic_loops();
// The one that the others which go to memory are compared with.
inline constexpr std::string_view memory_chase = "chase-64m";
// Measures of the machine that are not compared themselves: that one, and the mailbox.
bool is_reference(const Loop&);

struct LoopResult {
    const Loop* loop = nullptr;
    double measured = 0, spread = 0;  // core cycles a unit: the lowest on which two batches agree within 2 %
    double modelled = 0;              // 0: not modelled
    double instructions = 0;          // a unit
    double error = 0;                 // signed, a fraction of what was measured; of the ratio if by_memory
    std::string excluded;             // why it is not compared
};

// The code of loop_code.S that others make loops of.
extern const LoopCode chase_code, walk_code, switch_code;

// Runs the loops whose id contains `only` here, and in the model of `cpu` unless that is empty. Half a minute for all.
// Throws Failure: usage if there is none such, interrupted, missing (an emulator that cannot start).
std::vector<LoopResult> measure_loops(const std::string& cpu, const std::string& only,
                                      const std::function<void(std::string_view)>& progress);

// Core cycles a unit on this CPU and how far the next batch is off; `most_seconds` after the first batches.
struct LoopTime {
    double cycles = 0, spread = 0;
};
// One way of a word to another processor and back; nothing if we have but one.
std::optional<LoopTime> time_mailbox();
LoopTime time_loop(const Loop&, double most_seconds);
// Fills memory for a loop that sees it at the address `base`.
void prepare(const Loop&, std::span<std::byte> memory, std::uint64_t base);
std::uint64_t memory_of(const Loop&);
// Core cycles of a unit in the model; sets the number of instructions too. The same each time.
double model_loop(const Loop&, const std::string& cpu, double& instructions);

}  // namespace devenv
