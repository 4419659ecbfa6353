// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/trace/event_decoder.hpp>

namespace sim::format {
namespace {

constexpr const char* unknown_wait = "an unknown cause of waiting";

bool set_wait(RetireTime& time, std::uint32_t wait) {
    time.wait = static_cast<Wait>(wait);
    return wait < static_cast<std::uint32_t>(Wait::count_);
}

bool get_time(Cursor& in, RetireTime& time) {
    time.cycles = static_cast<std::uint32_t>(in.varint());
    const std::uint8_t wait = in.byte();
    time.placeholder_cycles = static_cast<std::uint32_t>(in.varint());
    time.less = static_cast<std::uint32_t>(in.varint());
    time.more = static_cast<std::uint32_t>(in.varint());
    return set_wait(time, wait);
}

// Instruction, kind and io, size: three bytes of an access.
bool get_access(Cursor& in, Access& access, std::size_t instructions) {
    access = {};
    access.instruction = in.byte();
    std::uint8_t bits = in.byte();
    access.kind = static_cast<AccessKind>(bits & 3);
    access.io = bits & 4;
    access.size = in.byte();
    return !in.failed() && bits < 8 && (bits & 3) < 3 && access.instruction < instructions;
}

}  // namespace

std::optional<std::string> EventDecoder::decode(const ChunkHeader& header, std::span<const std::uint8_t> payload) {
    if (payload.size() < 12) return "shorter than its own header";
    std::uint64_t sizes[3];
    for (int i = 0; i < 3; ++i) sizes[i] = get_u32(payload.data() + 4 * i);
    if (sizes[0] + sizes[1] + sizes[2] != payload.size() - 12) return "its streams do not add up to its size";
    flow_ = Cursor(payload.subspan(12, sizes[0]));
    addresses_ = Cursor(payload.subspan(12 + sizes[0], sizes[1]));
    cycles_ = Cursor(payload.subspan(12 + sizes[0] + sizes[1], sizes[2]));
    state_.reset(header.first_index);
    cycle_ = header.first_cycle;
    while (flow_.left() && !stopped_) {
        if (auto bad = event()) return bad;
        if (flow_.failed() || addresses_.failed() || cycles_.failed()) return "an event ends too early";
    }
    if (stopped_) return std::nullopt;
    if (addresses_.left() || cycles_.left()) return "bytes are left over after its last event";
    if (state_.index - header.first_index != header.instructions || cycle_ - header.first_cycle != header.cycles)
        return "its events do not add up to its totals";
    return std::nullopt;
}

std::optional<std::string> EventDecoder::event() {
    std::uint8_t head = flow_.byte();
    Token token{static_cast<std::uint8_t>(head & token_mask)};
    if (token == Token::block) return block(head);
    if (head & ~token_mask) return "an unknown event";
    return other(token);
}

std::optional<std::string> EventDecoder::block(std::uint8_t head) {
    std::uint64_t id = head & explicit_id ? flow_.varint() : state_.predicted();
    if (id >= dictionary_.size() || !dictionary_[id]) return "a code block that no code chunk holds";
    const CodeBlock& code = *dictionary_[id];
    std::uint64_t first = 0, count = code.instructions.size();
    bool whole = !(head & partial);
    if (!whole) {
        first = flow_.varint();
        count = flow_.varint();
        if (first > code.instructions.size() || count > code.instructions.size() - first)
            return "more instructions than its code block has";
    }
    state_.follow(code.id, head & taken);
    BlockState& state = state_.block(code.id);
    if (head & explicit_shape) {
        if (auto bad = shape(code, state, whole)) return bad;
    } else {
        accesses_.clear();
        for (Shape s : state.shape) accesses_.push_back(access_of(s));
    }
    if (accesses_.size() <= max_plain_accesses) {
        if (state.strides.size() < accesses_.size()) state.strides.resize(accesses_.size());
        for (std::size_t i = 0; i < accesses_.size(); ++i) address(state.strides[i], accesses_[i]);
    }
    if (auto bad = times(state, count, head & explicit_cycles, whole)) return bad;
    if (flow_.failed() || addresses_.failed() || cycles_.failed()) return "an event ends too early";
    visit(code, {state_.cpu, &code, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count), state_.index,
                 (head & taken) != 0, accesses_});
    state_.index += count;
    return std::nullopt;
}

std::optional<std::string> EventDecoder::shape(const CodeBlock& code, BlockState& state, bool remember) {
    std::uint64_t coded = flow_.varint(), count = coded >> 1;
    accesses_.clear();
    if (coded & 1) {
        if (remember) state.shape.clear();
        return runs(code, count);
    }
    if (count > max_plain_accesses) return "too many accesses";
    for (std::uint64_t i = 0; i < count; ++i) {
        Access access;
        if (!get_access(flow_, access, code.instructions.size())) return "an access of no instruction or kind";
        accesses_.push_back(access);
    }
    if (remember) {
        state.shape.clear();
        for (const Access& a : accesses_) state.shape.push_back(shape_of(a));
    }
    return std::nullopt;
}

std::optional<std::string> EventDecoder::runs(const CodeBlock& code, std::uint64_t count) {
    if (count > max_accesses || count <= max_plain_accesses) return "a wrong number of accesses";
    while (accesses_.size() < count) {
        std::uint64_t period = flow_.varint(), repeat = flow_.varint();
        if (period < 1 || period > 2 || repeat < 1 || repeat > (count - accesses_.size()) / period)
            return "a wrong run of accesses";
        Access access[2];
        std::uint64_t offset[2], stride[2];
        for (std::uint64_t k = 0; k < period; ++k) {
            if (!get_access(flow_, access[k], code.instructions.size())) return "an access of no instruction or kind";
            access[k].virtual_address = flow_.varint();
            offset[k] = static_cast<std::uint64_t>(flow_.signed_varint());
            stride[k] = static_cast<std::uint64_t>(flow_.signed_varint());
        }
        for (std::uint64_t i = 0; i < repeat; ++i)
            for (std::uint64_t k = 0; k < period; ++k) {
                access[k].physical_address = access[k].virtual_address + offset[k];
                accesses_.push_back(access[k]);
                access[k].virtual_address += stride[k];
            }
    }
    return std::nullopt;
}

void EventDecoder::address(Stride& stride, Access& access) {
    std::uint64_t coded = addresses_.varint();
    bool escape = coded == address_escape;
    std::uint64_t zigzag = escape ? addresses_.varint() : coded ? coded - 1 : 0;
    access.virtual_address = stride.predicted() + (zigzag >> 1 ^ (~(zigzag & 1) + 1));
    stride.update(access.virtual_address);
    if (escape) {
        access.physical_address = access.virtual_address + static_cast<std::uint64_t>(addresses_.signed_varint());
        state_.pages.learn(access.virtual_address, access.physical_address);
    } else {
        access.physical_address = state_.pages.translate(access.virtual_address);
    }
}

std::optional<std::string> EventDecoder::times(BlockState& state, std::size_t count, bool coded, bool whole) {
    if (!coded) {
        if (state.times.size() != count) return "cycles like those of an execution that is not there";
        times_ = state.times;
        return std::nullopt;
    }
    times_.clear();
    for (std::size_t i = 0; i < count; ++i) {
        RetireTime time;
        const std::uint8_t coded_time = cycles_.byte();
        if (coded_time == cycles_escape) {
            if (!get_time(cycles_, time)) return unknown_wait;
        } else if (coded_time) {
            time.cycles = 1 + (coded_time - 1u) / wait_radix;
            if (!set_wait(time, (coded_time - 1u) % wait_radix)) return unknown_wait;
        }
        times_.push_back(time);
    }
    if (whole) state.times = times_;
    return std::nullopt;
}

void EventDecoder::visit(const CodeBlock& code, const Block& block) {
    Cycle before = cycle_;
    for (const RetireTime& time : times_) cycle_ += time.cycles;
    if (from_ && block.first_index + block.count <= from_) return;  // parts of a first REP have no instruction yet
    if (visitor_.block && !visitor_.block(block, times_, before)) stopped_ = true;
    if (!visitor_.instruction) return;
    std::span<const Access> accesses = accesses_;
    Cycle at = before;
    for (std::uint32_t i = 0; i < block.count && !stopped_; ++i) {
        std::size_t its = 0;
        while (its < accesses.size() && accesses[its].instruction <= block.first + i) ++its;
        at += times_[i].cycles;
        TraceRecord record{block.first_index + i, at,       times_[i], &code, &code.instructions[block.first + i],
                           accesses.first(its),   block.cpu};
        accesses = accesses.subspan(its);
        if (record.index >= from_ && !visitor_.instruction(record)) stopped_ = true;
    }
}

template <class Function, class Event>
void EventDecoder::call(const Function& function, const Event& event) {
    if (function && event.index >= from_ && !function(event, cycle_)) stopped_ = true;
}

std::optional<std::string> EventDecoder::other(Token token) {
    auto index = [&] { return state_.index + static_cast<std::uint64_t>(flow_.signed_varint()); };
    switch (token) {
        case Token::input: {
            std::uint8_t kind = flow_.byte();
            InstructionIndex at = index();
            std::uint64_t address = flow_.varint(), value = flow_.varint();
            if (flow_.failed() || kind > static_cast<unsigned>(InputKind::msr)) return "an unknown input";
            call(visitor_.input, Input{state_.cpu, at, static_cast<InputKind>(kind), address, value});
            return std::nullopt;
        }
        case Token::control: {
            std::uint8_t kind = flow_.byte();
            InstructionIndex at = index();
            std::uint64_t which = flow_.varint(), value = flow_.varint();
            if (flow_.failed() || kind > static_cast<unsigned>(ControlKind::invalidate_all))
                return "an unknown control";
            call(visitor_.control, Control{state_.cpu, at, static_cast<ControlKind>(kind), which, value});
            return std::nullopt;
        }
        case Token::transfer: {
            std::uint8_t bits = flow_.byte(), vector = flow_.byte();
            InstructionIndex at = index();
            auto error_code = static_cast<std::uint32_t>(flow_.varint());
            std::uint64_t source = flow_.varint(), target = flow_.varint(), fault_address = flow_.varint();
            RetireTime time;
            if (!get_time(flow_, time)) return unknown_wait;
            if (flow_.failed() || bits > 7 || (bits & 3) > 2) return "an unknown transfer";
            cycle_ += time.cycles;
            Transfer event{state_.cpu,
                           at,
                           static_cast<TransferKind>(bits & 3),
                           vector,
                           (bits & 4) != 0,
                           error_code,
                           source,
                           target,
                           fault_address};
            if (visitor_.transfer_time && at >= from_ && !visitor_.transfer_time(event, time)) stopped_ = true;
            if (!stopped_) call(visitor_.transfer, event);
            return std::nullopt;
        }
        case Token::halt: {
            InstructionIndex at = index();
            std::uint64_t skipped = flow_.varint();
            if (flow_.failed()) return "an event ends too early";
            call(visitor_.halt, Halt{state_.cpu, at, skipped});
            return std::nullopt;
        }
        case Token::cpu:
            if (const std::uint64_t cpu = flow_.varint(); cpu < cpus_) state_.cpu = static_cast<std::uint32_t>(cpu);
            else return "a CPU that the run did not have";
            return std::nullopt;
        case Token::index:
            state_.index = flow_.varint();
            return std::nullopt;
        default:
            return "an unknown event";
    }
}

}  // namespace sim::format
