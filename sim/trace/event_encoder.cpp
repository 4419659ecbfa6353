// SPDX-License-Identifier: GPL-2.0-or-later
// The common block costs one byte when it follows as last time, one for each access that keeps its stride, and none
// for its cycles if they are those of its last execution, for the same reasons.
#include <algorithm>
#include <sim/trace/event_encoder.hpp>

namespace sim::format {
namespace {

constexpr std::uint8_t token(Token t) { return static_cast<std::uint8_t>(t); }

void put_time(Bytes& out, const RetireTime& time) {
    out.put_varint(time.cycles);
    out.put(static_cast<std::uint8_t>(time.wait));
    out.put_varint(time.placeholder_cycles);
    out.put_varint(time.less);
    out.put_varint(time.more);
}

bool same_shape(const std::vector<Shape>& shape, std::span<const Access> accesses) {
    if (shape.size() != accesses.size()) return false;
    for (std::size_t i = 0; i < accesses.size(); ++i)
        if (shape[i] != shape_of(accesses[i])) return false;
    return true;
}

// How many more accesses from `at` repeat the `period` before them with constant strides and page offsets.
std::size_t repeats(std::span<const Access> accesses, std::size_t at, std::size_t period) {
    std::size_t i = at + period;
    for (; i < accesses.size(); ++i) {
        const Access &a = accesses[i - period], &b = accesses[i];
        if (shape_of(a) != shape_of(b)) break;
        if (b.physical_address - b.virtual_address != a.physical_address - a.virtual_address) break;
        if (i >= at + 2 * period &&
            b.virtual_address - a.virtual_address != a.virtual_address - accesses[i - 2 * period].virtual_address)
            break;
    }
    return (i - at) / period;
}

}  // namespace

void EventEncoder::at(std::uint32_t cpu) {
    flow_.room(160);
    if (cpu != state_.cpu) {
        flow_.put(token(Token::cpu));
        flow_.put_varint(state_.cpu = cpu);
    }
}

void EventEncoder::block(const Block& block, std::span<const RetireTime> times) {
    at(block.cpu);
    if (block.first_index != state_.index) {
        flow_.put(token(Token::index));
        flow_.put_varint(state_.index = block.first_index);
    }
    CodeId id = block.code->id;
    bool whole = block.first == 0 && block.count == block.code->instructions.size();
    std::uint8_t head = token(Token::block) | (block.taken ? taken : 0) | (whole ? 0 : partial);
    CodeId predicted = state_.predicted();
    if (id != predicted) head |= explicit_id;
    state_.follow(id, block.taken);
    BlockState& state = state_.block(id);
    std::span<const Access> accesses = block.accesses;
    if (accesses.size() > max_accesses) accesses = accesses.first(max_accesses);
    bool shaped = !whole || !same_shape(state.shape, accesses);
    if (shaped) head |= explicit_shape;
    if (put_times(state, times.first(block.count), whole)) head |= explicit_cycles;

    flow_.put(head);
    if (head & explicit_id) flow_.put_varint(id);
    if (head & partial) {
        flow_.put_varint(block.first);
        flow_.put_varint(block.count);
    }
    if (shaped) put_shape(state, accesses, whole);
    if (accesses.size() <= max_plain_accesses) {
        addresses_.room(accesses.size() * 22);
        if (state.strides.size() < accesses.size()) state.strides.resize(accesses.size());
        for (std::size_t i = 0; i < accesses.size(); ++i) put_address(state.strides[i], accesses[i]);
    }
    state_.index += block.count;
}

// Returns false if the block took its time as it did before, and nothing was written.
bool EventEncoder::put_times(BlockState& state, std::span<const RetireTime> times, bool whole) {
    bool differs = !whole || state.times.size() != times.size();
    for (std::size_t i = 0; i < times.size(); ++i) {
        chunk_cycles_ += times[i].cycles;
        chunk_placeholder_ += times[i].placeholder_cycles;
        if (!differs) differs = times[i] != state.times[i];
    }
    if (!differs) return false;
    cycles_.room(times.size() * 42);
    for (const RetireTime& time : times) {
        const auto wait = static_cast<std::uint32_t>(time.wait);
        const bool sure = !time.placeholder_cycles && !time.less && !time.more;
        if (sure && time.cycles == 0 && time.wait == Wait::none) {
            cycles_.put(0);
        } else if (sure && time.cycles - 1 < short_cycles) {
            cycles_.put(static_cast<std::uint8_t>(1 + (time.cycles - 1) * wait_radix + wait));
        } else {
            cycles_.put(cycles_escape);
            put_time(cycles_, time);
        }
    }
    if (whole) state.times.assign(times.begin(), times.end());
    return true;
}

// Accesses are listed plainly up to a limit, beyond it (REP) as runs, which hold the addresses too.
void EventEncoder::put_shape(BlockState& state, std::span<const Access> accesses, bool remember) {
    if (accesses.size() > max_plain_accesses) {
        if (remember) state.shape.clear();
        put_runs(accesses);
        return;
    }
    flow_.room(accesses.size() * 4 + 10);
    flow_.put_varint(accesses.size() << 1);
    for (const Access& a : accesses) {
        flow_.put(static_cast<std::uint8_t>(a.instruction));
        flow_.put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(a.kind) | a.io << 2));
        flow_.put(a.size);
    }
    if (!remember) return;
    state.shape.clear();
    for (const Access& a : accesses) state.shape.push_back(shape_of(a));
}

void EventEncoder::put_runs(std::span<const Access> accesses) {
    flow_.add_varint(accesses.size() << 1 | 1);
    for (std::size_t at = 0; at < accesses.size();) {
        std::size_t period = 1, count = repeats(accesses, at, 1);
        if (at + 2 <= accesses.size())
            if (std::size_t pairs = repeats(accesses, at, 2); pairs * 2 > count) period = 2, count = pairs;
        flow_.room(period * 40 + 20);
        flow_.put_varint(period);
        flow_.put_varint(count);
        for (std::size_t k = 0; k < period; ++k) {
            const Access& a = accesses[at + k];
            flow_.put(static_cast<std::uint8_t>(a.instruction));
            flow_.put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(a.kind) | a.io << 2));
            flow_.put(a.size);
            flow_.put_varint(a.virtual_address);
            flow_.put_signed(static_cast<std::int64_t>(a.physical_address - a.virtual_address));
            std::uint64_t stride = count > 1 ? accesses[at + k + period].virtual_address - a.virtual_address : 0;
            flow_.put_signed(static_cast<std::int64_t>(stride));
        }
        at += period * count;
    }
}

void EventEncoder::put_address(Stride& stride, const Access& access) {
    std::uint64_t difference = access.virtual_address - stride.predicted();
    stride.update(access.virtual_address);
    bool known = state_.pages.knows(access.virtual_address, access.physical_address);
    std::uint64_t coded = Bytes::zigzag(static_cast<std::int64_t>(difference));
    if (known && coded < ~0ull - 1) [[likely]] {
        addresses_.put_varint(coded ? coded + 1 : address_predicted);
        return;
    }
    addresses_.put_varint(address_escape);
    addresses_.put_varint(coded);
    addresses_.put_signed(static_cast<std::int64_t>(access.physical_address - access.virtual_address));
    state_.pages.learn(access.virtual_address, access.physical_address);
}

void EventEncoder::input(const Input& input) {
    at(input.cpu);
    flow_.put(token(Token::input));
    flow_.put(static_cast<std::uint8_t>(input.kind));
    flow_.put_signed(static_cast<std::int64_t>(input.index - state_.index));
    flow_.put_varint(input.address);
    flow_.put_varint(input.value);
}

void EventEncoder::control(const Control& control) {
    at(control.cpu);
    flow_.put(token(Token::control));
    flow_.put(static_cast<std::uint8_t>(control.kind));
    flow_.put_signed(static_cast<std::int64_t>(control.index - state_.index));
    flow_.put_varint(control.which);
    flow_.put_varint(control.value);
}

void EventEncoder::transfer(const Transfer& transfer, RetireTime time) {
    at(transfer.cpu);
    flow_.put(token(Token::transfer));
    flow_.put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(transfer.kind) | transfer.has_error_code << 2));
    flow_.put(transfer.vector);
    flow_.put_signed(static_cast<std::int64_t>(transfer.index - state_.index));
    flow_.put_varint(transfer.error_code);
    flow_.put_varint(transfer.source);
    flow_.put_varint(transfer.target);
    flow_.put_varint(transfer.fault_address);
    put_time(flow_, time);
    chunk_cycles_ += time.cycles;
    chunk_placeholder_ += time.placeholder_cycles;
}

void EventEncoder::halt(const Halt& halt) {
    at(halt.cpu);
    flow_.put(token(Token::halt));
    flow_.put_signed(static_cast<std::int64_t>(halt.index - state_.index));
    flow_.put_varint(halt.skipped_ticks);
}

void EventEncoder::take(Bytes& out, ChunkHeader& header) {
    header.first_index = first_index_;
    header.first_cycle = first_cycle_;
    header.instructions = state_.index - first_index_;
    header.cycles = chunk_cycles_;
    header.placeholder_cycles = chunk_placeholder_;
    std::uint8_t sizes[12];
    put_u32(sizes, static_cast<std::uint32_t>(flow_.size()));
    put_u32(sizes + 4, static_cast<std::uint32_t>(addresses_.size()));
    put_u32(sizes + 8, static_cast<std::uint32_t>(cycles_.size()));
    out.clear();
    out.add(sizes);
    for (Bytes* stream : {&flow_, &addresses_, &cycles_}) {
        out.add(stream->span());
        stream->clear();
    }
    first_index_ = state_.index;
    first_cycle_ += chunk_cycles_;
    chunk_cycles_ = chunk_placeholder_ = 0;
    state_.reset(first_index_);
}

}  // namespace sim::format
