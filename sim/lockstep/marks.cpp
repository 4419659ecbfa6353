// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <sim/board/text.hpp>
#include <sim/lockstep/marks.hpp>

namespace sim::lockstep {

namespace {

using State = ArchitecturalState;

constexpr const char* general_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                           "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* segment_names[8] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
constexpr std::uint16_t all_registers = 0xffff;

template <typename Take>
void each_value(const MarkStop& one, const MarkStop& other, const Take& take) {
    const State &a = one.state, &b = other.state;
    take("rip", a.rip, b.rip);
    for (std::size_t i = 0; i < 16; ++i) take(general_names[i], a.general[i], b.general[i]);
    take("rflags", a.rflags, b.rflags);
    for (const unsigned i : {0u, 2u, 3u, 4u}) take("cr" + std::to_string(i), a.cr[i], b.cr[i]);
    take("efer", a.efer, b.efer);
    for (unsigned i = 0; i < std::size(segment_names); ++i)
        take(segment_names[i], a.segments[i].selector, b.segments[i].selector);
    for (const auto& [name, i] : {std::pair("gdtr", State::gdt), std::pair("idtr", State::idt)}) {
        take(std::string(name) + ".base", a.segments[i].base, b.segments[i].base);
        take(std::string(name) + ".limit", a.segments[i].limit, b.segments[i].limit);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        take("xmm" + std::to_string(i) + ".low", a.xmm[i][0], b.xmm[i][0]);
        take("xmm" + std::to_string(i) + ".high", a.xmm[i][1], b.xmm[i][1]);
    }
    take("mxcsr", a.mxcsr, b.mxcsr);
    for (unsigned i = 0; i < std::min(one.stack_words, other.stack_words); ++i)
        take("[rsp+" + std::to_string(8 * i) + "]", one.stack[i], other.stack[i]);
}

constexpr std::array<MarkDifference, 0> table{};

bool interrupted(const MarkStop& stop, const std::set<std::uint64_t>& handlers) {
    return std::any_of(stop.deliveries.begin(), stop.deliveries.end(),
                       [&](std::uint64_t handler) { return handlers.contains(handler); });
}

class Compare {
  public:
    Compare(const MarkLog& pair, MarksResult& result) : pair_(pair), result_(result) {}

    // Whether the two are equal; the first difference goes into the result.
    bool stop(std::size_t number, const MarkStop& one, const MarkStop& other, const MarkStop* before) {
        if (one.address != other.address) {
            return differ({.number = number, .what = "they come to different marks", .fields = {}}, one, other, before);
        }
        std::vector<Field> fields;
        each_value(one, other, [&](const std::string& name, std::uint64_t a, std::uint64_t b) {
            ++result_.values;
            if (a != b && !explained({name, a, b}, one, other)) fields.push_back({name, a, b});
        });
        ++result_.stops;
        if (!fields.empty())
            return differ({.number = number, .what = "their states differ", .fields = std::move(fields)}, one, other,
                          before);
        return !before || count(number, one, other, before);
    }

  private:
    bool count(std::size_t number, const MarkStop& one, const MarkStop& other, const MarkStop* before) {
        if (one.inputs || interrupted(one, pair_.interrupt_handlers()) ||
            interrupted(other, pair_.interrupt_handlers())) {
            ++result_.counts_left;
            return true;
        }
        ++result_.counts;
        result_.instructions += one.ticks;
        if (one.ticks == other.ticks) return true;
        return differ({.number = number,
                       .what = "they have executed different numbers of instructions since the mark before",
                       .fields = {{"instructions", one.ticks, other.ticks}}},
                      one, other, before);
    }

    bool explained(const Field& field, const MarkStop& one, const MarkStop& other) {
        for (const MarkDifference& entry : table) {
            if (!entry.field(field, one, other)) continue;
            ++result_.known[std::string(entry.id)];
            return true;
        }
        return false;
    }

    bool differ(MarkMismatch mismatch, const MarkStop& one, const MarkStop& other, const MarkStop* before) {
        mismatch.pair = one, mismatch.third = other;
        if (before) mismatch.before = *before;
        result_.mismatch = std::move(mismatch);
        return false;
    }

    const MarkLog& pair_;
    MarksResult& result_;
};

}  // namespace

std::span<const MarkDifference> mark_differences() { return table; }

bool MarkLog::before(const State& state, bool repeated) {
    // QEMU attempts a string instruction once more to find that nothing is left of it; that is no iteration.
    if (!repeated || state.general[1] != 0) ++ticks_;
    if (repeated || !addresses_.contains(state.rip)) return false;
    if (seen_[state.rip]++ >= each_) return false;
    stops_.push_back({.address = state.rip,
                      .state = state,
                      .stack = {},
                      .stack_words = 0,
                      .ticks = ticks_ - 1,
                      .deliveries = std::exchange(deliveries_, {}),
                      .inputs = std::exchange(inputs_, 0)});
    ticks_ = 1;  // the instruction at the mark
    undecided_.push_back({stops_.size() - 1, all_registers});
    return true;
}

void MarkLog::note(std::span<const std::uint64_t> stack, const std::set<std::uint64_t>& handlers) {
    MarkStop& stop = stops_.back();
    stop.stack_words = unsigned(std::min<std::size_t>(stack.size(), mark_stack_words));
    std::copy_n(stack.begin(), stop.stack_words, stop.stack.begin());
    handlers_.insert(handlers.begin(), handlers.end());
}

void MarkLog::executes(const Instruction& instruction) {
    for (Undecided& it : undecided_) {
        it.registers = std::uint16_t(it.registers & ~instruction.reads);
        stops_[it.stop].dead = std::uint16_t(stops_[it.stop].dead | (it.registers & instruction.writes));
        it.registers = std::uint16_t(it.registers & ~instruction.writes);
    }
    std::erase_if(undecided_, [](const Undecided& it) { return !it.registers; });
}

MarksResult compare_marks(const MarkLog& pair, std::span<const MarkStop> third, bool cut) {
    MarksResult result;
    Compare compare(pair, result);
    const std::vector<MarkStop>& stops = pair.stops();
    const std::size_t common = std::min(stops.size(), third.size());
    for (std::size_t i = 0; i < common; ++i)
        if (!compare.stop(i + 1, stops[i], third[i], i ? &stops[i - 1] : nullptr)) return result;
    if (stops.size() == third.size() || (cut && stops.size() < third.size())) return result;
    MarkMismatch mismatch{.number = common + 1, .what = "one comes to a mark, the other ends before", .fields = {}};
    if (common < stops.size()) mismatch.pair = stops[common];
    else mismatch.third = third[common];
    if (common) mismatch.before = stops[common - 1];
    result.mismatch = std::move(mismatch);
    return result;
}

}  // namespace sim::lockstep
