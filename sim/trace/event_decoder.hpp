// SPDX-License-Identifier: GPL-2.0-or-later
// The events of one chunk, from its three byte streams back to calls. Trusts nothing: every size, number and kind is
// checked, and a chunk that contradicts itself ends with a message.
#pragma once
#include <memory>
#include <optional>
#include <sim/trace/event_state.hpp>
#include <string>

namespace sim::format {

using Dictionary = std::vector<std::unique_ptr<CodeBlock>>;  // by code id

class EventDecoder {
  public:
    EventDecoder(const Dictionary& dictionary, unsigned cpus, const TraceVisitor& visitor, InstructionIndex from)
        : dictionary_(dictionary), cpus_(cpus), visitor_(visitor), from_(from) {}

    // Empty: decoded to the end, or the visitor stopped it (`stopped`). Else what is wrong with the payload.
    std::optional<std::string> decode(const ChunkHeader&, std::span<const std::uint8_t> payload);
    bool stopped() const { return stopped_; }

  private:
    std::optional<std::string> event();
    std::optional<std::string> block(std::uint8_t head);
    std::optional<std::string> shape(const CodeBlock&, BlockState&, bool remember);
    std::optional<std::string> runs(const CodeBlock&, std::uint64_t count);
    std::optional<std::string> times(BlockState&, std::size_t count, bool coded, bool whole);
    std::optional<std::string> other(Token);
    void address(Stride&, Access&);
    void visit(const CodeBlock&, const Block&);
    template <class Function, class Event>
    void call(const Function& function, const Event& event);

    const Dictionary& dictionary_;
    const unsigned cpus_;
    const TraceVisitor& visitor_;
    InstructionIndex from_;
    bool stopped_ = false;
    EventState state_;
    Cursor flow_, addresses_, cycles_;
    Cycle cycle_ = 0;
    std::vector<Access> accesses_;
    std::vector<RetireTime> times_;
};

}  // namespace sim::format
