// SPDX-License-Identifier: GPL-2.0-or-later
// The leader: QEMU with the image by PVH, one instruction a translation block, a clock that counts instructions, and a
// plugin that tells the CPU's state before each. Its RAM is a file in memory that this process sees too.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
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
};

std::unique_ptr<Leader> make_qemu_leader(const LeaderConfig&);  // throws EngineError
std::string leader_cpu();                                       // of QEMU's -cpu: the baseline that both engines have

}  // namespace sim::lockstep
