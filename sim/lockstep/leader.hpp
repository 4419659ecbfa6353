// SPDX-License-Identifier: GPL-2.0-or-later
// The leader: QEMU with the image by PVH, one instruction a translation block, a clock that counts instructions, and a
// plugin, or a log, that tells the CPU's state before each. Its RAM is a file in memory that this process sees too.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <sim/engine.hpp>
#include <sim/imposed.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sim::lockstep {

struct LeaderConfig {
    std::filesystem::path image;
    std::filesystem::path plugin;
    std::string command_line;
    std::uint64_t ram_bytes = 128ull << 20;
    std::uint64_t entry = 0;  // of PVH: physical address of the first instruction
    std::function<void(std::string_view)> console;
    const std::atomic<bool>* stop = nullptr;
};

class Leader {
  public:
    virtual ~Leader() = default;

    // Waits until the kernel is entered; RAM is what it finds there until the first call of next(). Throws EngineError
    // if it never is, or if this QEMU cannot lead.
    virtual void enter() = 0;
    virtual std::span<const std::uint8_t> ram() const = 0;
    // The state before the next instruction that the leader attempts. Waits for it. False: the leader has ended, or
    // `stop` was set, or it has been silent for a minute.
    virtual bool next(ArchitecturalState&) = 0;
    virtual bool silent() const = 0;
    // Waits for the leader's end, or ends it. Its exit status; RAM is what it left. Never throws.
    virtual int finish(bool end_it) = 0;
    virtual std::string name() const = 0;    // with its version
    virtual std::string errors() const = 0;  // what it said on stderr
    // Fills in from another state what this leader cannot tell of `told`, so that it is not compared.
    virtual void complete(ArchitecturalState& told, const ArchitecturalState& other) const {
        static_cast<void>(told), static_cast<void>(other);
    }
    virtual std::string_view states() const { return "plugin"; }  // where they come from
    virtual std::string_view not_compared() const { return {}; }  // what complete() fills in; empty: nothing
    virtual std::string fallback() const { return {}; }           // why they come from there and not from the plugin
};

// This QEMU cannot tell its states by a plugin: no plugins, or what the plugin calls is not exported.
struct CannotTell : EngineError {
    using EngineError::EngineError;
};

// By the plugin; enter() throws CannotTell too. Throws EngineError.
std::unique_ptr<Leader> make_qemu_leader(const LeaderConfig&);
// By QEMU's own log (state_log.hpp), which every QEMU 7 has and which is some fifty times as slow. Throws EngineError.
std::unique_ptr<Leader> make_log_leader(const LeaderConfig&);
// By the plugin; if enter() finds that it cannot tell, by the log. `notice` is then told why.
std::unique_ptr<Leader> make_leader_with_fallback(const LeaderConfig&, std::function<void(std::string_view)> notice);
std::string leader_cpu();  // of QEMU's -cpu: the baseline that both engines have

}  // namespace sim::lockstep
