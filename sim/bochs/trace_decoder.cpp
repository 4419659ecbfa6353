// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <regs/exceptions.hpp>
#include <sim/bochs/trace_decoder.hpp>
#include <sim/image/block_ends.hpp>
#include <sim/image/image.hpp>

namespace sim::bochs {

namespace {
constexpr std::uint64_t page_bytes = 4096, line_bytes = 64;
constexpr std::uint64_t screen_hole = 0xa0000, screen_hole_end = 0xc0000;
constexpr std::size_t longest_instruction = 15;
constexpr std::uint64_t kernel_half = 0xffffffff80000000;  // the last 2 GiB
constexpr std::size_t accesses_held = 4096;                // of an unfinished string instruction, before they are told
}  // namespace

bool TraceDecoder::Delivery::error_code() const {
    return kind == TransferKind::exception && regs::pushes_error_code(line.vector);
}

std::uint64_t TraceDecoder::Delivery::source() const { return pushed[error_code() ? 1 : 0]; }

std::uint64_t TraceDecoder::Delivery::target() const {  // SDM 3A 6.14.1
    return (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000) | gate[1] << 32;
}

TraceDecoder::TraceDecoder(EventSink* events, std::uint64_t ram_bytes, const Image& image)
    : events_(events), ram_bytes_(ram_bytes), image_(image), decoder_(Decoder::make()) {}

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
        const bool software = now_ && (now_->special == Special::int_n || now_->special == Special::int3);
        delivery_ = {.line = *interrupt,
                     .kind = exception_raised_ ? TransferKind::exception
                             : software        ? TransferKind::software
                                               : TransferKind::interrupt};
    } else if (std::holds_alternative<BreakpointLine>(parsed)) {
        ++breakpoints_;
    }
    return std::holds_alternative<InstructionLine>(parsed);
}

void TraceDecoder::take(InstructionLine line) {
    if (!line.long_addresses) throw EngineError("the guest left 64-bit mode; windows in Bochs know 64-bit code only");
    if (reprinted(line)) line = first_of_handler(line.tick);
    const Instruction next = decode(line);
    if (now_) {
        settle(line.address);
    } else if (delivery_) {  // before the first instruction of all
        transfer(delivery_->source(), line.address);
    }
    delivery_.reset();
    exception_raised_ = false;
    start(line, next);
}

bool TraceDecoder::reprinted(const InstructionLine& line) const {
    return delivery_ && delivery_->kind == TransferKind::interrupt && delivery_->loads >= 2 &&
           line.address == delivery_->source() && line.address != delivery_->target();
}

// Linked there, or in the kernel's half of an image that is linked to its physical addresses.
InstructionLine TraceDecoder::first_of_handler(std::uint64_t tick) const {
    const std::uint64_t address = delivery_->target();
    for (const std::uint64_t base : {std::uint64_t{0}, kernel_half}) {
        for (const Segment& segment : image_.segments()) {
            const std::uint64_t offset = address - base - (base ? segment.physical_address : segment.virtual_address);
            if (offset >= segment.bytes.size()) continue;
            const auto rest = segment.bytes.subspan(offset);
            const auto decoded = decoder_->decode(rest.first(std::min(rest.size(), longest_instruction)), address);
            if (!decoded) continue;
            InstructionLine line{.tick = tick,
                                 .physical_address = segment.physical_address + offset,
                                 .address = address,
                                 .bytes = {},
                                 .length = decoded->length,
                                 .long_addresses = true};
            std::copy_n(rest.begin(), line.length, line.bytes.begin());
            return line;
        }
    }
    throw EngineError("the window has an interrupt whose handler, at " + image_.place(address) +
                      ", is not in the image, and Bochs does not print its first instruction; choose another window");
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
    if (delivery_) {
        if (line.kind == AccessKind::store) {
            delivery_->pushed[1] = delivery_->pushed[0];
            delivery_->pushed[0] = line.value;
        } else if (delivery_->loads < std::size(delivery_->gate)) {
            delivery_->gate[delivery_->loads++] = line.value;
        }
        return;
    }
    if (!now_) return;
    if (part_of_operand(line)) {
        accesses_.back().size = std::uint8_t(accesses_.back().size + line.size);
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

// Bochs takes some operands in pieces (x87's 10 bytes, FXSAVE's 512): they are joined, up to a line.
bool TraceDecoder::part_of_operand(const AccessLine& line) const {
    if (now_->rep || accesses_.size() <= accesses_before_) return false;
    const Access& before = accesses_.back();
    const std::size_t size = std::size_t{before.size} + line.size;
    if (before.kind != line.kind || before.io || before.virtual_address + before.size != line.virtual_address ||
        before.physical_address + before.size != line.physical_address ||
        before.virtual_address / line_bytes != (before.virtual_address + size - 1) / line_bytes)
        return false;
    return std::any_of(now_->memory, now_->memory + now_->operand_count,
                       [size](const MemoryOperand& operand) { return operand.size >= size; });
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
    const auto source = delivery_ ? std::optional(delivery_->source()) : std::nullopt;
    const bool exception = delivery_ && delivery_->kind == TransferKind::exception;
    const std::uint64_t arrival = source.value_or(next_address);
    // A jump may lead to itself; interrupts come between instructions.
    const bool retired = arrival != last.address || (!last.rep && !exception);
    if (!retired && !source && last.rep && accesses_.size() < accesses_held) return;  // its next iteration
    drop_descriptor_accesses();
    const std::uint64_t end = last.address + last.length;
    const bool falls_through = !source && retired && next_address == end;
    if (!retired && !last.rep) accesses_.resize(accesses_before_);
    if (!falls_through || ends_code_block(last) || instructions_.size() == max_block_instructions ||
        (instructions_.front().address ^ next_address) / page_bytes != 0)
        emit(retired && arrival != end, retired);
    if (source) transfer(*source, next_address);
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
    const bool error = delivery.error_code();
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
