// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <regs/exceptions.hpp>
#include <sim/bochs/trace_decoder.hpp>
#include <sim/image/block_ends.hpp>

namespace sim::bochs {

namespace {
constexpr std::uint64_t page_bytes = 4096, line_bytes = 64;
constexpr std::uint64_t screen_hole = 0xa0000, screen_hole_end = 0xc0000;
constexpr std::size_t accesses_held = 4096;  // of an unfinished string instruction, before they are told
}  // namespace

TraceDecoder::TraceDecoder(EventSink* events, std::uint64_t ram_bytes)
    : events_(events), ram_bytes_(ram_bytes), decoder_(Decoder::make()) {}

std::optional<std::uint64_t> TraceDecoder::about_to_execute() const {
    return now_ ? std::optional(now_->address) : std::nullopt;
}

bool TraceDecoder::line(std::string_view text) {
    const TraceLine parsed = parse_trace_line(text);
    if (const auto* instruction = std::get_if<InstructionLine>(&parsed)) {
        take(*instruction);
    } else if (const auto* access = std::get_if<AccessLine>(&parsed)) {
        take(*access);
    } else if (std::holds_alternative<ExceptionLine>(parsed)) {
        exception_raised_ = true;
    } else if (const auto* interrupt = std::get_if<InterruptLine>(&parsed)) {
        delivery_ = {.line = *interrupt, .exception = exception_raised_};
    } else if (std::holds_alternative<BreakpointLine>(parsed)) {
        ++breakpoints_;
    }
    return std::holds_alternative<InstructionLine>(parsed);
}

void TraceDecoder::take(const InstructionLine& line) {
    if (!line.long_addresses) throw EngineError("the guest left 64-bit mode; windows in Bochs know 64-bit code only");
    const Instruction next = decode(line);
    if (now_) settle(line.address);
    start(line, next);
}

// Bytes that are no instruction to the decoder: #UD comes, or Bochs knows it.
Instruction TraceDecoder::decode(const InstructionLine& line) {
    const auto decoded = decoder_->decode({line.bytes.data(), line.length}, line.address);
    if (decoded && decoded->length == line.length) return *decoded;
    Instruction unknown{};
    unknown.address = line.address;
    unknown.length = line.length;
    unknown.special = Special::ud;
    return unknown;
}

void TraceDecoder::start(const InstructionLine& line, const Instruction& next) {
    const bool again = !instructions_.empty() && instructions_.back().address == next.address;
    if (!again) {
        if (instructions_.empty()) physical_address_ = line.physical_address;
        accesses_before_ = accesses_.size();
        instructions_.push_back(next);
        bytes_.insert(bytes_.end(), line.bytes.begin(), line.bytes.begin() + line.length);
    }
    now_ = next;
}

void TraceDecoder::take(const AccessLine& line) {
    if (!now_) return;
    if (delivery_) {
        if (line.kind == AccessKind::store) {
            delivery_->pushed[1] = delivery_->pushed[0];
            delivery_->pushed[0] = line.value;
        }
        return;
    }
    const std::uint64_t at = line.physical_address;
    const bool io = at >= ram_bytes_ || (at >= screen_hole && at < screen_hole_end);
    const auto instruction = std::uint16_t(instructions_.size() - 1);
    // Iterations of a string instruction are joined; each may have a load and a store, which go on in turns.
    for (std::size_t back = 1; now_->rep && back <= 2 && back + accesses_before_ <= accesses_.size(); ++back) {
        Access& before = accesses_[accesses_.size() - back];
        if (before.kind != line.kind || io || before.io ||
            before.virtual_address + before.size != line.virtual_address ||
            before.virtual_address / line_bytes != (line.virtual_address + line.size - 1) / line_bytes)
            continue;
        before.size = std::uint8_t(before.size + line.size);
        return;
    }
    accesses_.push_back({.instruction = instruction,
                         .kind = line.kind,
                         .size = line.size,
                         .io = io,
                         .virtual_address = line.virtual_address,
                         .physical_address = at});
}

// Loading a segment register reads its descriptor, which is no operand: only what is near the first access is.
void TraceDecoder::drop_descriptor_accesses() {
    const Instruction& last = instructions_.back();
    if (!loads_descriptor(last, {bytes_.data() + bytes_.size() - last.length, last.length})) return;
    const auto own = accesses_.begin() + static_cast<std::ptrdiff_t>(accesses_before_);
    if (own == accesses_.end()) return;
    const std::uint64_t operand = own->virtual_address;
    accesses_.erase(std::remove_if(own, accesses_.end(),
                                   [&](const Access& access) {
                                       return last.operand_count == 0 ||
                                              access.virtual_address - operand + line_bytes >= 2 * line_bytes;
                                   }),
                    accesses_.end());
}

// Control arrives at `next_address`: what became of the instruction at hand?
void TraceDecoder::settle(std::uint64_t next_address) {
    const Instruction last = instructions_.back();
    std::optional<std::uint64_t> source;
    if (delivery_) {
        const bool software =
            !delivery_->exception && (last.special == Special::int_n || last.special == Special::int3);
        const bool error = !software && regs::pushes_error_code(delivery_->line.vector);
        source = delivery_->pushed[error ? 1 : 0];
        delivery_->kind = delivery_->exception ? TransferKind::exception
                          : software           ? TransferKind::software
                                               : TransferKind::interrupt;
    }
    const std::uint64_t arrival = source.value_or(next_address);
    // A jump may lead to itself; interrupts come between instructions.
    const bool retired = arrival != last.address || (!last.rep && !(delivery_ && delivery_->exception));
    exception_raised_ = false;
    if (!retired && !source && last.rep && accesses_.size() < accesses_held) return;  // its next iteration
    drop_descriptor_accesses();
    const std::uint64_t end = last.address + last.length;
    const bool falls_through = !source && retired && next_address == end;
    if (!retired && !last.rep) accesses_.resize(accesses_before_);
    if (!falls_through || ends_code_block(last) || instructions_.size() == max_block_instructions ||
        (instructions_.front().address ^ next_address) / page_bytes != 0)
        emit(retired && arrival != end, retired);
    if (source) transfer(*source, next_address);
    delivery_.reset();
}

// The block at hand, whose last instruction may not have retired.
void TraceDecoder::emit(bool taken, bool last_retired) {
    const auto count = std::uint32_t(instructions_.size() - !last_retired);
    const bool halted = last_retired && now_ && now_->special == Special::hlt;
    if (events_ && (count || !accesses_.empty())) {
        const CodeBlock& code = code_for_block();
        events_->on_block({.cpu = 0,
                           .code = &code,
                           .first = 0,
                           .count = count,
                           .first_index = retired_,
                           .taken = taken,
                           .accesses = accesses_});
    }
    retired_ += count;
    if (events_ && halted) events_->on_halt({.cpu = 0, .index = retired_, .skipped_ticks = 0});
    instructions_.clear();
    bytes_.clear();
    accesses_.clear();
    accesses_before_ = 0;
    now_.reset();
}

const CodeBlock& TraceDecoder::code_for_block() {
    const std::size_t known = blocks_.all()->size();
    const CodeBlock& code = blocks_.find_or_make(instructions_, bytes_, physical_address_);
    if (blocks_.all()->size() > known) events_->on_code(code);
    return code;
}

void TraceDecoder::transfer(std::uint64_t source, std::uint64_t target) {
    const Delivery& delivery = *delivery_;
    const bool error = delivery.kind == TransferKind::exception && regs::pushes_error_code(delivery.line.vector);
    if (delivery.kind == TransferKind::interrupt && interrupts_at_.size() < interrupts_noted)
        interrupts_at_.push_back(retired_);
    if (!events_) return;
    events_->on_transfer({.cpu = 0,
                          .index = retired_,
                          .kind = delivery.kind,
                          .vector = delivery.line.vector,
                          .has_error_code = error,
                          .error_code = error ? delivery.line.error_code : 0,
                          .source = source,
                          .target = target,
                          .fault_address = 0});
}

void TraceDecoder::finish() {
    if (instructions_.empty()) return;
    accesses_.resize(accesses_before_);
    if (instructions_.size() > 1) emit(false, false);
}

}  // namespace sim::bochs
