// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <regs/exceptions.hpp>
#include <sim/qemu/stream_decoder.hpp>
#include <utility>

namespace sim::qemu {

namespace {
constexpr std::uint64_t page_bytes = 4096, line_bytes = 64;
constexpr std::size_t accesses_held = 4096;  // of an unfinished string instruction, before they are told

[[noreturn]] void broken(const char* what) {
    throw EngineError(std::string("the stream from QEMU is broken: ") + what + "; please report this");
}

bool is_software_interrupt(const Instruction& instruction) {
    return instruction.special == Special::int_n || instruction.special == Special::int3;
}

// Direct branches: they can neither fault nor be told apart from a restart when they lead to themselves.
bool is_direct_branch(const Instruction& instruction) {
    return (instruction.flow == Flow::branch || instruction.flow == Flow::conditional) && !instruction.rep;
}
}  // namespace

StreamDecoder::StreamDecoder(EventSink* events, std::optional<InstructionIndex> limit, std::uint64_t low_ram_bytes)
    : events_(events), limit_(limit), code_(low_ram_bytes) {
    accesses_.reserve(2 * accesses_held);
}

void StreamDecoder::feed(std::span<const std::uint64_t> words) {
    for (std::size_t i = 0; i < words.size() && !limit_reached();) {
        const std::uint64_t word = words[i];
        switch (stream::kind_of(word)) {
            case stream::WordKind::access:
                take_access(word);
                ++i;
                break;
            case stream::WordKind::block:
                begin_block(word);
                ++i;
                break;
            case stream::WordKind::other:
                i += other(words.subspan(i));
                break;
            default:
                broken("an unknown word");
        }
    }
}

// --- records ---------------------------------------------------------------------------------------------------------

std::size_t StreamDecoder::other(std::span<const std::uint64_t> record) {
    const std::size_t words = record[0] >> stream::other_words_shift & stream::other_words_mask;
    const std::uint64_t value = record[0] >> stream::other_value_shift;
    if (words + 1 > record.size()) broken("a record crosses the end of its chunk");
    const std::span<const std::uint64_t> rest = record.subspan(1, words);
    const auto need = [&](std::size_t least) {
        if (rest.size() < least) broken("a record is too short");
    };
    switch (stream::Kind(record[0] & 0xff)) {
        case stream::Kind::code:
            code_.add(rest);
            break;
        case stream::Kind::page:
            need(2);
            pages_[value % stream::cpus_most][stream::page_slot(rest[0])] = rest[1] & -page_bytes;
            break;
        case stream::Kind::wide_access: {
            need(1);
            const bool store = value >> 24 & 1, io = value >> 25 & 1;
            add_access({.instruction = std::uint16_t(value & stream::access_index_mask),
                        .kind = store ? AccessKind::store : AccessKind::load,
                        .size = std::uint8_t(value >> 16),
                        .io = io,
                        .virtual_address = rest[0],
                        .physical_address = pages_[cpu_][stream::page_slot(rest[0])] | rest[0] % page_bytes});
            break;
        }
        case stream::Kind::handler:
            need(stream::frame_words + 1);
            handler_.emplace();
            handler_->vector = std::uint8_t(value);
            std::copy_n(rest.begin(), stream::frame_words, handler_->frame.begin());
            handler_->cr2 = rest[stream::frame_words];
            break;
        case stream::Kind::end:
            need(1 + stream::end_registers);
            if (block_) {
                if (rest[0] && rest[0] <= block_->count) last_ = block_->instructions[rest[0] - 1];
                // Only OUT ends QEMU by itself; another instruction raised an exception that nobody could take.
                const bool faulted = last_ && last_->special != Special::out;
                finish_block(std::uint32_t(rest[0]), faulted ? std::optional(last_->address) : std::nullopt);
            }
            for (std::uint32_t cpu = 0; cpu < stream::cpus_most && !limit_reached(); ++cpu) {
                if (cpu == cpu_ || !set_aside_[cpu].block) continue;
                switch_cpu(cpu, 0);
                finish_block(set_aside_[cpu].started, std::nullopt);
            }
            take_registers(rest.subspan(1));
            ended_ = true;
            break;
        default:
            broken("an unknown record");
    }
    return words + 1;
}

void StreamDecoder::take_registers(std::span<const std::uint64_t> values) {
    using namespace stream;
    constexpr unsigned encoding[] = {0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned i = 0; i < end_rip; ++i) registers_.general[encoding[i]] = values[i];
    registers_.rip = last_ ? last_->address : values[end_rip];
    registers_.rflags = values[end_rflags];
    registers_.cs = std::uint16_t(values[end_cs]), registers_.ss = std::uint16_t(values[end_ss]);
    registers_.cr0 = values[end_cr0], registers_.cr2 = values[end_cr2];
    registers_.cr3 = values[end_cr3], registers_.cr4 = values[end_cr4];
    registers_.efer = values[end_efer];
    registers_.fs_base = values[end_fs_base], registers_.gs_base = values[end_gs_base];
}

std::uint16_t StreamDecoder::last_port() const {
    if (!last_) return 0;
    for (const Piece& each : block_->pieces) {
        const CodeBlock& code = *each.code;
        const std::uint64_t end = last_->address + last_->length - code.address;
        if (last_->length < 2 || last_->address < code.address || end > code.bytes.size()) continue;
        const std::uint8_t opcode = code.bytes[end - 2];
        if (opcode == 0xe6 || opcode == 0xe7) return code.bytes[end - 1];  // OUT imm8
    }
    return std::uint16_t(registers_.general[2]);
}

inline void StreamDecoder::take_access(std::uint64_t word) {
    const auto address = std::uint64_t(std::int64_t(word << 16) >> 16);
    const bool store = word >> stream::access_store_bit & 1;
    add_access({.instruction = std::uint16_t(word >> stream::access_index_shift & stream::access_index_mask),
                .kind = store ? AccessKind::store : AccessKind::load,
                .size = std::uint8_t(1u << (word >> stream::access_size_shift & 7)),
                .io = bool(word >> stream::access_io_bit & 1),
                .virtual_address = address,
                .physical_address = pages_[cpu_][stream::page_slot(address)] | address % page_bytes});
}

// QEMU splits what a decoder calls one access: 16 bytes into 8 and 8, a read-modify-write into a load and a store. An
// iteration of a string instruction may have two, which go on in turns.
inline void StreamDecoder::add_access(const Access& now) {
    if (!events_) return;
    for (std::size_t back = 1; back <= 2 && back <= accesses_.size(); ++back) {
        Access& before = accesses_[accesses_.size() - back];
        if (before.instruction != now.instruction) break;
        if (now.kind == AccessKind::store && before.kind == AccessKind::load && before.size == now.size &&
            before.virtual_address == now.virtual_address) {
            before.kind = AccessKind::rmw;
            return;
        }
        if (before.kind == now.kind && !now.io && !before.io &&
            before.virtual_address + before.size == now.virtual_address &&
            before.virtual_address / line_bytes == (now.virtual_address + now.size - 1) / line_bytes) {
            before.size += now.size;
            return;
        }
    }
    accesses_.push_back(now);
}

// --- blocks ----------------------------------------------------------------------------------------------------------

inline void StreamDecoder::begin_block(std::uint64_t word) {
    const auto number = std::uint32_t(word);
    const auto started = std::uint32_t(word >> stream::block_started_shift & 0xffff);
    const TranslationBlock& next = code_.at(number, [this](const CodeBlock& code) {
        if (events_) events_->on_code(code);
    });
    const auto cpu = std::uint32_t(word >> stream::block_cpu_shift & 0xff);
    if (cpu >= stream::cpus_most) broken("a CPU of impossible number");
    handler_target_ = next.address;
    if (!begun_ && events_)
        events_->on_input({.cpu = cpu, .index = 0, .kind = InputKind::start, .address = next.address, .value = 0});
    begun_ = true;
    if (cpu != cpu_) {
        switch_cpu(cpu, started);
        if (block_) finish_block(set_aside_[cpu].started, next.address);
        else handler_.reset();
    } else if (block_) {
        finish_block(started, next.address);
    }
    block_ = &next;
    if (cpu_ >= cpu_retired_.size()) cpu_retired_.resize(cpu_ + 1);
}

// Where a CPU went on is known when its own next block comes: until then its last one is set aside.
void StreamDecoder::switch_cpu(std::uint32_t cpu, std::uint32_t started) {
    SetAside& from = set_aside_[cpu_];
    from = {block_, started, std::exchange(accesses_, {})};
    SetAside& to = set_aside_[cpu];
    block_ = std::exchange(to.block, nullptr);
    accesses_ = std::exchange(to.accesses, {});
    cpu_ = cpu;
}

void StreamDecoder::settle_halt() {
    if (halted()) finish_block(block_->count, std::nullopt);
}

bool StreamDecoder::halted() const { return block_ && block_->instructions.back()->special == Special::hlt; }

// Where the handler's frame says control came from; nothing if it is no frame: the guest has jumped there by itself.
std::optional<std::uint64_t> StreamDecoder::source(const Instruction& last) const {
    const auto& frame = handler_->frame;
    const auto plausible = [&](unsigned rip) {
        return frame[rip + 1] - 1 < 0xffff && (frame[rip + 2] & 2) && frame[rip + 2] >> 22 == 0;
    };
    if (is_software_interrupt(last) && frame[0] == last.address + last.length && plausible(0)) return frame[0];
    const unsigned rip = regs::pushes_error_code(handler_->vector) ? 1 : 0;
    return plausible(rip) ? std::optional(frame[rip]) : std::nullopt;
}

void StreamDecoder::finish_block(std::uint32_t started, std::optional<std::uint64_t> next_address) {
    if (started == 0) return;
    if (started > block_->count) broken("more instructions of a block were started than it has");
    const Instruction& last = *block_->instructions[started - 1];
    std::optional<std::uint64_t> from;
    if (handler_) [[unlikely]] {
        from = source(last);
        if (!from) handler_.reset();
    }
    const std::optional<std::uint64_t> arrival = from ? from : next_address;
    const bool last_retired = arrival != last.address || is_direct_branch(last);
    std::uint32_t retired = started - !last_retired;
    if (limit_ && retired_ + retired > *limit_) retired = std::uint32_t(*limit_ - retired_);
    if (events_) {
        if (!block_->descriptor_loads.empty()) drop_descriptor_accesses();
        const bool taken = last_retired && arrival && *arrival != last.address + last.length;
        if (last_retired) emit(retired, taken);
        else emit_unfinished(last, retired, !from);
    }
    retired_ += retired;
    cpu_retired_[cpu_] += retired;
    if (limit_reached()) return;
    if (last_retired && last.special == Special::hlt && events_)
        events_->on_halt({.cpu = cpu_, .index = retired_, .skipped_ticks = 0});
    if (from) transfer(last, *from);
}

// The instruction that was started last has not retired. `goes_on`: it is started again at once.
void StreamDecoder::emit_unfinished(const Instruction& last, std::uint32_t retired, bool goes_on) {
    const auto first_of_last =
        std::find_if(accesses_.begin(), accesses_.end(), [&](const Access& a) { return a.instruction >= retired; });
    if (!last.rep) {
        accesses_.erase(first_of_last, accesses_.end());
        emit(retired, false);
    } else if (!goes_on || accesses_.end() - first_of_last > std::ptrdiff_t(accesses_held)) {
        emit(retired, false);
    } else {  // held back until it has finished
        std::vector<Access>& held = held_;
        held.assign(first_of_last, accesses_.end());
        accesses_.erase(first_of_last, accesses_.end());
        emit(retired, false);
        for (Access& access : held) access.instruction = 0;
        accesses_.swap(held);
    }
}

// Loading a segment register reads its descriptor. What the instruction accesses first is its operand, if it has one.
void StreamDecoder::drop_descriptor_accesses() {
    std::uint32_t at = ~0u;
    std::uint64_t operand = 0, bytes = 0;
    std::erase_if(accesses_, [&](const Access& access) {
        const auto& loads = block_->descriptor_loads;
        if (std::find(loads.begin(), loads.end(), access.instruction) == loads.end()) return false;
        const Instruction& instruction = *block_->instructions[access.instruction];
        if (at != access.instruction) {
            at = access.instruction;
            operand = access.virtual_address;
            bytes = instruction.operand_count ? instruction.memory[0].size : 0;
        }
        return access.virtual_address - operand >= bytes;
    });
}

// Hands over the first `retired` instructions of the block at hand with all accesses that are left. Those of a string
// instruction that has not finished come with what is before it, or alone.
void StreamDecoder::emit(std::uint32_t retired, bool taken) {
    std::size_t next = 0;
    for (const Piece& piece : block_->pieces) {
        const std::uint32_t end = piece.start + piece.count, count = std::min(retired, end) - piece.start;
        const std::size_t begin = next;
        for (; next < accesses_.size() && accesses_[next].instruction < end; ++next)
            accesses_[next].instruction = std::uint16_t(accesses_[next].instruction - piece.start);
        if (count || next > begin)
            events_->on_block({.cpu = cpu_,
                               .code = piece.code,
                               .first = 0,
                               .count = count,
                               .first_index = retired_ + piece.start,
                               .taken = taken && count && piece.start + count == retired,
                               .accesses = {accesses_.data() + begin, next - begin}});
        if (end > retired || (end == retired && next == accesses_.size())) break;
    }
    accesses_.clear();
}

void StreamDecoder::transfer(const Instruction& last, std::uint64_t from) {
    const bool software =
        is_software_interrupt(last) && from == last.address + last.length && handler_->frame[0] == from;
    const TransferKind kind = software                                           ? TransferKind::software
                              : handler_->vector < regs::vector::first_interrupt ? TransferKind::exception
                                                                                 : TransferKind::interrupt;
    const bool error = !software && regs::pushes_error_code(handler_->vector);
    if (kind == TransferKind::interrupt && interrupts_at_.size() < interrupts_noted) interrupts_at_.push_back(retired_);
    if (events_)
        events_->on_transfer({.cpu = cpu_,
                              .index = retired_,
                              .kind = kind,
                              .vector = handler_->vector,
                              .has_error_code = error,
                              .error_code = error ? std::uint32_t(handler_->frame[0]) : 0,
                              .source = from,
                              .target = handler_target_,
                              .fault_address = handler_->vector == regs::vector::page_fault ? handler_->cr2 : 0});
    handler_.reset();
}

}  // namespace sim::qemu
