// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/recorder.hpp>

#include <algorithm>

namespace sim::unicorn {

void Recorder::merge_iteration() {
    const unsigned fresh = count_ - committed_;
    if (!fresh || committed_ < fresh) return commit();
    constexpr std::uint64_t line = 64;
    for (unsigned i = 0; i < fresh; ++i) {
        const Access& before = accesses_[committed_ - fresh + i];
        const Access& now = accesses_[committed_ + i];
        const bool joins = before.instruction == now.instruction && before.kind == now.kind && before.io == now.io &&
                           !now.io && before.virtual_address + before.size == now.virtual_address &&
                           before.virtual_address / line == (now.virtual_address + now.size - 1) / line;
        if (!joins) return commit();
    }
    for (unsigned i = 0; i < fresh; ++i) accesses_[committed_ - fresh + i].size += accesses_[committed_ + i].size;
    drop();
}

void Recorder::flush(bool taken, InstructionIndex retired) {
    const auto count = std::uint32_t(retired - first_index_);
    if (!block_ || (!count && !committed_)) return;
    if (sink_)
        sink_->on_block({.cpu = cpu_,
                         .code = &block_->code,
                         .first = first_,
                         .count = count,
                         .first_index = first_index_,
                         .taken = taken,
                         .accesses = {accesses_.data(), committed_}});
    std::copy(accesses_.begin() + committed_, accesses_.begin() + count_, accesses_.begin());
    count_ -= committed_;
    committed_ = 0;
    first_ += count;
    first_index_ = retired;
}

}  // namespace sim::unicorn
