// SPDX-License-Identifier: GPL-2.0-or-later
// The board's RAM: one anonymous mapping of the host, from guest physical address 0 up; and what is in it when the
// kernel is entered.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace sim {

class Image;

class Memory {
  public:
    explicit Memory(std::uint64_t bytes);  // a multiple of 4 KiB; throws EngineError if the host has not that much
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    std::uint8_t* data() { return data_; }
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

// Puts the image's segments, a StartInfo, the memory map, the ACPI tables and the command line into RAM and returns the
// physical address of the StartInfo. Throws EngineError if something does not fit.
std::uint64_t load(Memory&, const Image&, const std::string& command_line, unsigned cpus);

}  // namespace sim
