// SPDX-License-Identifier: GPL-2.0-or-later
// Accesses of one CPU to its modelled memory, each after the one before it (a chase) or all asked for at once.
#pragma once
#include <random>
#include <sim/timing/cpu.hpp>
#include <sim/timing/memory.hpp>
#include <vector>

namespace memory_walks {

using namespace sim;
using namespace sim::timing;

constexpr std::uint64_t direct_map = 0xffff888000000000;  // equal to physical modulo 2 MiB: large pages
constexpr std::uint64_t scattered = 0x7f0000001000;       // user pages of 4 KiB
inline const Machine zen4 = load_cpu("znver4")->machine;

// One CPU's accesses, each after the one before it (a chase) or all asked for at once (a stream).
class Walker {
  public:
    explicit Walker(const Machine& machine = zen4) : shared_(machine), memory_(machine, shared_) {}
    std::uint64_t load(std::uint64_t physical, std::uint64_t virtual_base) {
        const Memory::Delay delay =
            memory_.load({0, AccessKind::load, 8, false, virtual_base + physical, physical}, now_);
        ++waits_[static_cast<std::size_t>(delay.why)];
        return delay.cycles + zen4.load_integer;
    }
    // Mean cycles of a dependent load, of one pass over the addresses.
    double cold_chase(const std::vector<std::uint64_t>& addresses, std::uint64_t virtual_base = direct_map) {
        const std::uint64_t start = now_;
        for (const std::uint64_t address : addresses) now_ += load(address, virtual_base);
        return double(now_ - start) / double(addresses.size());
    }
    double chase(const std::vector<std::uint64_t>& addresses, std::uint64_t virtual_base = direct_map) {
        cold_chase(addresses, virtual_base);
        return cold_chase(addresses, virtual_base);
    }
    // Cycles a line where loads do not wait for each other, 20 lines deep, as a reorder buffer lets them.
    double stream(const std::vector<std::uint64_t>& addresses, std::uint64_t virtual_base = direct_map) {
        std::vector<std::uint64_t> done(20);
        const std::uint64_t start = now_;
        std::size_t next = 0;
        for (const std::uint64_t address : addresses) {
            now_ = std::max(now_ + 1, done[next]);
            done[next] = now_ + load(address, virtual_base);
            next = (next + 1) % done.size();
        }
        return double(now_ - start) / double(addresses.size());
    }
    std::uint64_t waits(Wait why) const { return waits_[static_cast<std::size_t>(why)]; }
    Memory& memory() { return memory_; }

  private:
    SharedMemory shared_;
    Memory memory_;
    std::uint64_t now_ = 0;
    std::uint64_t waits_[static_cast<std::size_t>(Wait::count_)] = {};
};

inline std::vector<std::uint64_t> walk(std::uint64_t bytes, std::uint64_t step = 64) {
    std::vector<std::uint64_t> addresses;
    for (std::uint64_t at = 0; at < bytes; at += step) addresses.push_back(at);
    return addresses;
}

inline std::vector<std::uint64_t> shuffled(std::vector<std::uint64_t> addresses) {
    std::mt19937_64 random(1);
    for (std::size_t i = addresses.size(); i > 1; --i) std::swap(addresses[i - 1], addresses[random() % i]);
    return addresses;
}

}  // namespace memory_walks
