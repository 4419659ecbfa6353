// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <bit>
#include <cstring>
#include <regs/page_walk.hpp>
#include <sim/board/text.hpp>
#include <sim/engine.hpp>
#include <sim/lockstep/comparison.hpp>
#include <sim/lockstep/known_differences.hpp>
#include <sim/lockstep/wire.hpp>

namespace sim::lockstep {

namespace {

using State = ArchitecturalState;

constexpr std::uint64_t interrupts_allowed = 1u << 9, arithmetic_flags = 0x8d5;
constexpr std::uint64_t hidden_compared = 3 | 1u << 14 | 1u << 15;  // privilege level, long mode, 64-bit code
constexpr std::uint64_t attributes_ignored = 1u << 8 | 1u << 9;     // accessed; writable, or busy of a TSS
constexpr unsigned first_external_vector = 32, vectors = 256;

constexpr const char* general_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* segment_names[10] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr", "gdtr", "idtr"};

// Bits of each word of the state that are compared.
struct Compared {
    std::uint64_t mask[state_words];
    Compared() {
        State all{};
        std::memset(&all, 0xff, sizeof all);
        all.cr[1] = 0;
        all.hidden_flags = hidden_compared;
        for (State::Segment& segment : all.segments) segment.attributes &= ~attributes_ignored;
        std::memcpy(mask, &all, sizeof mask);
    }
};
const Compared compared;

bool same(const State& one, const State& other) {
    const auto* a = reinterpret_cast<const std::uint64_t*>(&one);
    const auto* b = reinterpret_cast<const std::uint64_t*>(&other);
    std::uint64_t differing = 0;
    for (std::size_t i = 0; i < state_words; ++i) differing |= (a[i] ^ b[i]) & compared.mask[i];
    return !differing;
}

// For regs::walk.
struct Tables {
    std::span<std::uint8_t> ram;
    std::uint64_t* table(std::uint64_t physical) {
        return physical < ram.size() && ram.size() - physical >= 4096
                   ? reinterpret_cast<std::uint64_t*>(ram.data() + physical)
                   : nullptr;
    }
};

// What is compared twice or cannot be seen by an instruction: the parts of a descriptor's second word that hold its
// base, which is compared as such; the hidden part of a null segment, less the base of FS and GS.
void canonicalise(State& state) {
    constexpr std::uint64_t no_base = 0x00ff'ff00;
    for (State::Segment& segment : state.segments) segment.attributes &= no_base;
    for (unsigned i = State::es; i <= State::gs; ++i)
        if (State::Segment& segment = state.segments[i]; !(segment.selector & ~3u)) {
            segment.limit = 0;
            segment.attributes = 0;
            if (i < State::fs) segment.base = 0;
        }
}

std::string number_of(const char* name, std::size_t i) { return name + std::to_string(i); }

}  // namespace

std::vector<Field> differences(const State& leader, const State& follower) {
    std::vector<Field> result;
    const auto field = [&](std::string name, std::uint64_t one, std::uint64_t other, std::uint64_t mask = ~0ull) {
        if ((one ^ other) & mask) result.push_back({std::move(name), one, other});
    };
    field("rip", leader.rip, follower.rip);
    for (std::size_t i = 0; i < 16; ++i) field(general_names[i], leader.general[i], follower.general[i]);
    field("rflags", leader.rflags, follower.rflags);
    for (const std::size_t i : {0, 2, 3, 4}) field(number_of("cr", i), leader.cr[i], follower.cr[i]);
    field("efer", leader.efer, follower.efer);
    field("mode", leader.hidden_flags, follower.hidden_flags, hidden_compared);
    for (std::size_t i = 0; i < 10; ++i) {
        const State::Segment &one = leader.segments[i], &other = follower.segments[i];
        const std::string name = segment_names[i];
        field(name, one.selector, other.selector);
        field(name + ".base", one.base, other.base);
        field(name + ".limit", one.limit, other.limit);
        field(name + ".attributes", one.attributes, other.attributes, ~attributes_ignored);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        field(number_of("xmm", i) + ".low", leader.xmm[i][0], follower.xmm[i][0]);
        field(number_of("xmm", i) + ".high", leader.xmm[i][1], follower.xmm[i][1]);
    }
    for (std::size_t i = 0; i < 8; ++i) {
        field(number_of("x87 r", i) + ".significand", leader.x87[i][0], follower.x87[i][0]);
        field(number_of("x87 r", i) + ".exponent", leader.x87[i][1], follower.x87[i][1]);
    }
    field("mxcsr", leader.mxcsr, follower.mxcsr);
    field("x87 control", leader.x87_control, follower.x87_control);
    field("x87 status", leader.x87_status, follower.x87_status);
    return result;
}

Comparison::Comparison(Leader& source, LockstepResult& result, MarkLog* marks)
    : source_(source), result_(result), marks_(marks), decoder_(Decoder::make()) {}

ArchitecturalState Comparison::start(std::span<std::uint8_t> ram) {
    ram_ = ram;
    source_.enter();
    const std::span<const std::uint8_t> from = source_.ram();
    std::memcpy(ram.data(), from.data(), std::min(ram.size(), from.size()));
    if (!fetch()) throw EngineError("the leader ended at the kernel's entry");
    return leader_;
}

// The leader's next state. It attempts an instruction again that wrote into its own translation: that is no state.
bool Comparison::fetch() {
    if (have_leader_) return true;
    do {
        if (!source_.next(leader_)) return false;
        canonicalise(leader_);
        if (last_.valid) source_.complete(leader_, last_.before);
    } while (last_.valid && !last_.instruction.rep && last_.instruction.flow == Flow::next &&
             std::memcmp(&leader_, &last_.before, sizeof leader_) == 0);
    return have_leader_ = true;
}

Imposed::Order Comparison::before(InstructionIndex retired, const State& told, bool halted) {
    State follower = told;
    canonicalise(follower);
    if (!fetch()) {
        if (source_.silent()) return {.what = Order::What::stop, .why = "the leader sleeps for ever"};
        leader_ended_ = true;
        return differ(retired, follower, "the leader has ended, the follower goes on");
    }
    source_.complete(leader_, follower);
    if (leader_.rip != follower.rip) {
        const auto vector = follower.rflags & interrupts_allowed ? interrupt_gate(follower, leader_.rip) : std::nullopt;
        if (!vector)
            return differ(
                retired, follower,
                halted ? "the leader leaves HLT, the follower has no reason to" : "they go on at different places");
        const std::uint64_t differing = (leader_.rflags ^ follower.rflags) & arithmetic_flags;
        if (differing && !adopted_) {  // before the interrupt pushes them
            patch_ = follower;
            patch_.rflags ^= differing;
            if (explained(patch_, follower)) return {.what = Order::What::adopt, .state = &patch_};
        }
        adopted_ = false;
        ++result_.interrupts;
        if (marks_) marks_->interrupted(leader_.rip);
        return {.what = Order::What::interrupt, .vector = *vector};
    }
    if (!same(leader_, follower)) {
        if (adopted_ || !explained(leader_, follower)) return differ(retired, follower, "their states differ");
        return {.what = Order::What::adopt, .state = &leader_};
    }
    adopted_ = false;
    have_leader_ = false;
    ++result_.compared;
    if (marks_) note_mark(leader_);
    last_.before = leader_;
    retired_ = retired;
    return {};
}

// A guest that has switched the power off has done so in the leader too: then both have left a whole RAM behind.
void Comparison::end(StopReason reason) {
    const bool power_off = reason == StopReason::power_off || reason == StopReason::guest_failed;
    result_.leader_status = source_.finish(!power_off && !leader_ended_);
    result_.leader_errors = source_.errors();
    result_.leader_lost =
        leader_ended_ && reason != StopReason::interrupted &&
        (result_.leader_status > 128 || result_.leader_errors.find(": terminating on signal ") != std::string::npos);
    if (!power_off || result_.difference) return;
    constexpr std::size_t page = 4096, told = 16;
    const std::span<const std::uint8_t> leader = source_.ram();
    for (std::size_t at = 0; at + page <= std::min(leader.size(), ram_.size()); at += page) {
        result_.ram_compared += page;
        if (std::memcmp(&leader[at], &ram_[at], page) == 0) continue;
        for (std::size_t i = at; i < at + page; ++i) {
            if (leader[i] == ram_[i]) continue;
            ++result_.ram_differing;
            if (result_.ram_places.size() < told) result_.ram_places.push_back(i);
        }
    }
}

void Comparison::announce(const Instruction& instruction, std::span<const std::uint8_t> bytes) {
    if (marks_) marks_->executes(instruction);
    if (!last_.valid || instruction.address != last_.instruction.address + last_.instruction.length) ++result_.blocks;
    last_.instruction = instruction;
    last_.valid = true;
    std::copy_n(bytes.begin(), std::min<std::size_t>(instruction.length, last_.bytes.size()), last_.bytes.begin());
    recent_[recent_count_++ % recent_.size()] = {retired_, instruction.address, instruction.length, last_.bytes};
}

std::vector<ExecutedInstruction> Comparison::recent() const {
    std::vector<ExecutedInstruction> result;
    const std::size_t count = std::min(recent_count_, recent_.size());
    for (std::size_t i = recent_count_ - count; i < recent_count_; ++i) {
        const Recent& it = recent_[i % recent_.size()];
        result.push_back({it.index, it.address, {it.bytes.begin(), it.bytes.begin() + it.length}});
    }
    return result;
}

bool Comparison::explained(const State& leader, const State& follower) {
    const std::vector<Field> fields = differences(leader, follower);
    if (!last_.valid || fields.empty()) return false;
    const Executed executed{.opcode = decoder_->opcode_name(last_.instruction.opcode),
                            .instruction = &last_.instruction,
                            .bytes = last_.bytes,
                            .before = &last_.before};
    const auto entries = explain(fields, executed, leader);
    for (const KnownDifference* entry : entries) ++result_.known[std::string(entry->id)];
    return adopted_ = !entries.empty();
}

Imposed::Order Comparison::differ(InstructionIndex retired, const State& follower, std::string what) {
    result_.difference = Difference{.index = retired,
                                    .what = what,
                                    .fields = differences(leader_, follower),
                                    .leader = leader_,
                                    .follower = follower,
                                    .last = recent()};
    return {.what = Order::What::stop, .why = std::move(what)};
}

bool Comparison::read_virtual(const State& state, std::uint64_t address, void* to, unsigned bytes) const {
    Tables tables{ram_};
    const regs::WalkResult walked = regs::walk(tables, state.cr[3], address);
    if (!walked.mapped() || walked.physical >= ram_.size() || ram_.size() - walked.physical < bytes) return false;
    std::memcpy(to, ram_.data() + walked.physical, bytes);
    return true;
}

// Where the gate leads to, if it is present.
std::optional<std::uint64_t> Comparison::gate_target(const State& state, unsigned vector) const {
    const State::Segment& table = state.segments[State::idt];
    std::uint64_t gate[2];
    if (vector * 16 + 15 > table.limit || !read_virtual(state, table.base + vector * 16, gate, sizeof gate))
        return std::nullopt;
    const bool present = gate[0] >> 47 & 1;
    if (!present) return std::nullopt;
    return (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff'0000) | gate[1] << 32;
}

// The external vector whose gate leads to `target`.
std::optional<std::uint8_t> Comparison::interrupt_gate(const State& follower, std::uint64_t target) const {
    for (unsigned vector = first_external_vector; vector < vectors; ++vector)
        if (gate_target(follower, vector) == target) return std::uint8_t(vector);
    return std::nullopt;
}

void Comparison::note_mark(const State& state) {
    const bool repeated =
        last_.valid && last_.instruction.rep && last_.before.rip == state.rip && last_.instruction.address == state.rip;
    if (!marks_->before(state, repeated)) return;
    std::set<std::uint64_t> handlers;
    for (unsigned vector = first_external_vector; vector < vectors; ++vector)
        if (const auto target = gate_target(state, vector)) handlers.insert(*target);
    marks_->note(handlers);
}

std::uint64_t Comparison::input(const InputRequest& request) {
    if (!fetch()) return 0;
    const auto& general = leader_.general;
    const std::uint64_t mask = request.bytes < 8 ? (1ull << request.bytes * 8) - 1 : ~0ull;
    const auto pair = [](std::uint64_t high, std::uint64_t low) { return high << 32 | std::uint32_t(low); };
    if (marks_) marks_->input();
    if (request.part == 0) ++result_.inputs[std::string(input_name(request.kind))];
    switch (request.kind) {
        case InputKind::tsc:
        case InputKind::msr:
            return pair(general[2], general[0]);
        case InputKind::cpuid:
            return request.part ? pair(general[2], general[1]) : pair(general[3], general[0]);
        case InputKind::port:
            if (last_.instruction.operand_count == 0) return general[0] & mask;
            break;  // INS writes to memory
        case InputKind::mmio:
        case InputKind::random:
            if (std::popcount(last_.instruction.writes) == 1 &&
                (request.kind == InputKind::random ||
                 decoder_->opcode_name(last_.instruction.opcode).starts_with("MOV")))
                return general[std::countr_zero(last_.instruction.writes)] >> 8 * request.part & mask;
            break;
        case InputKind::start:
            break;
    }
    throw EngineError(text("lockstep cannot follow `%s` at %#llx: it reads a device, and where to is no register",
                           decoder_->text(last_.bytes, last_.instruction.address).c_str(),
                           static_cast<unsigned long long>(last_.instruction.address)));
}

std::string_view input_name(InputKind kind) {
    constexpr std::array<std::string_view, 7> names{"tsc", "cpuid", "port", "mmio", "random", "start", "msr"};
    return names[std::size_t(kind)];
}

}  // namespace sim::lockstep
