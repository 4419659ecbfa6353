// SPDX-License-Identifier: GPL-2.0-or-later
// Events to the three byte streams of an events chunk: control flow, addresses, cycles.
#pragma once
#include <sim/trace/event_state.hpp>

namespace sim::format {

class EventEncoder {
  public:
    void block(const Block&, std::span<const RetireTime>);
    void input(const Input&);
    void control(const Control&);
    void transfer(const Transfer&, RetireTime);
    void halt(const Halt&);

    bool empty() const { return flow_.size() == 0; }
    bool full() const { return flow_.size() + addresses_.size() + cycles_.size() >= chunk_target_bytes; }
    // Moves the chunk's payload to `out`, completes its header, and starts the next chunk.
    void take(Bytes& out, ChunkHeader& header);
    InstructionIndex index() const { return state_.index; }
    Cycle cycle() const { return first_cycle_ + chunk_cycles_; }

  private:
    void at(std::uint32_t cpu);
    void put_shape(BlockState&, std::span<const Access>, bool remember);
    void put_runs(std::span<const Access>);
    void put_address(Stride&, const Access&);
    bool put_times(BlockState&, std::span<const RetireTime>, bool whole);

    EventState state_;
    Bytes flow_, addresses_, cycles_;
    InstructionIndex first_index_ = 0;
    Cycle first_cycle_ = 0, chunk_cycles_ = 0, chunk_placeholder_ = 0;
};

}  // namespace sim::format
