// SPDX-License-Identifier: GPL-2.0-or-later
// The board's RAM: one anonymous mapping of the host, from guest physical address 0 up.
#pragma once
#include <abi/boot.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sim {

class Memory {
  public:
    explicit Memory(std::uint64_t bytes);  // a multiple of 4 KiB; throws EngineError if the host has not that much
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    std::uint8_t* data() { return data_; }
    const std::uint8_t* data() const { return data_; }
    std::uint64_t bytes() const { return bytes_; }
    bool contains(std::uint64_t physical, std::uint64_t count) const {
        return physical < bytes_ && count <= bytes_ - physical;
    }
    // For regs::walk: the page table at this address, or nullptr outside RAM.
    std::uint64_t* table(std::uint64_t physical) {
        return contains(physical, 4096) ? reinterpret_cast<std::uint64_t*>(data_ + physical) : nullptr;
    }

  private:
    std::uint8_t* data_ = nullptr;
    std::uint64_t bytes_ = 0;
};

// What firmware would tell of it: by address, type 1 is RAM.
std::vector<exo::abi::StartInfoMemory> memory_map(const Memory&);

}  // namespace sim
