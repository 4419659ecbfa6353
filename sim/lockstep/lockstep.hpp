// SPDX-License-Identifier: GPL-2.0-or-later
// One image in two engines at once: QEMU leads, Unicorn follows, every instruction is compared.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <sim/engine.hpp>
#include <sim/imposed.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

enum class LeaderStates : std::uint8_t {
    automatic,  // the plugin, or the log where a QEMU has no plugin that can tell them
    plugin,
    log
};

namespace lockstep {
class MarkLog;  // sim/lockstep/marks.hpp
}

struct LockstepConfig {
    const Image* image = nullptr;
    std::filesystem::path image_path;  // the same, for QEMU
    std::filesystem::path plugin;      // exo-lockstep-qemu.so
    std::string command_line;
    std::uint64_t ram_bytes = 128ull << 20;
    std::uint64_t limit = 2'000'000'000;  // instructions
    const std::atomic<bool>* stop = nullptr;
    std::atomic<std::uint64_t>* progress = nullptr;
    std::function<void(std::string_view)> console;  // the follower's
    LeaderStates states = LeaderStates::automatic;
    std::function<void(std::string_view)> notice;  // told why the states come from the log
    lockstep::MarkLog* marks = nullptr;            // filled, if there is one
};

struct Field {
    std::string name;  // "rax", "rflags", "xmm3", "cs.limit"
    std::uint64_t leader, follower;
};

struct ExecutedInstruction {
    InstructionIndex index;
    std::uint64_t address;
    std::vector<std::uint8_t> bytes;
};

struct Difference {
    InstructionIndex index;  // instructions that both have retired
    std::string what;
    std::vector<Field> fields;
    ArchitecturalState leader, follower;
    std::vector<ExecutedInstruction> last;  // common ones, oldest first: the last one made the difference
};

struct LockstepResult {
    std::string leader, leader_cpu, follower;  // names and versions
    std::string states;                        // where the leader's come from: "plugin" or "log"
    std::string fallback;                      // why from the log, if that was not asked for
    std::string not_compared;                  // of what is compared otherwise, because of that
    RunResult run;                             // the follower's
    int leader_status = 0;
    bool leader_lost = false;    // a signal ended it, not the guest
    std::string leader_errors;   // what it said on stderr
    std::uint64_t compared = 0;  // states: one an instruction attempted
    std::uint64_t blocks = 0;    // of straight code
    std::uint64_t interrupts = 0;
    std::map<std::string, std::uint64_t> inputs;        // imposed, by kind
    std::map<std::string, std::uint64_t> known;         // differences of the table that occurred, by id
    std::uint64_t ram_compared = 0, ram_differing = 0;  // bytes, at the end
    std::vector<std::uint64_t> ram_places;              // physical addresses of the first few that differ
    std::string leader_console, follower_console;
    std::optional<Difference> difference;
};

LockstepResult run_lockstep(const LockstepConfig&);  // throws EngineError, ImageError

namespace lockstep {
class Leader;
}
LockstepResult run_lockstep(const LockstepConfig&, lockstep::Leader&);  // the same with a leader of the caller's

}  // namespace sim
