// SPDX-License-Identifier: GPL-2.0-or-later
// Code blocks put together from what another emulator tells. It cuts code where it likes; a block that begins at the
// same place and holds the same bytes and more serves for the shorter one too.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <sim/events.hpp>
#include <span>
#include <utility>
#include <vector>

namespace sim {

class CodeBlocks {
  public:
    // The block that begins with these instructions (at least one, on one page) and bytes; a new one is the last of
    // all().
    const CodeBlock& find_or_make(std::span<const Instruction>, std::span<const std::uint8_t> bytes,
                                  std::uint64_t physical_address);
    // By id. For those who refer to the blocks longer.
    const std::shared_ptr<std::deque<CodeBlock>>& all() const { return all_; }

  private:
    std::shared_ptr<std::deque<CodeBlock>> all_ = std::make_shared<std::deque<CodeBlock>>();
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<const CodeBlock*>> at_;  // virtual, physical address
};

}  // namespace sim
