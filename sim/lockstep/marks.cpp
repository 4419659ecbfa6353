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
}

unsigned register_number(const Field& field) {
    return unsigned(std::find(std::begin(general_names), std::end(general_names), field.name) - general_names);
}

bool unread(const Field& field, const MarkContext& at) {
    const unsigned number = register_number(field);
    return number < 16 && !(at.pair.live >> number & 1);
}

bool scratch(const Field& field, const MarkContext& at) {
    constexpr std::uint16_t not_preserved = 0x0fc7;  // rax, rcx, rdx, rsi, rdi, r8 to r11
    const unsigned number = register_number(field);
    return number < 16 && (not_preserved >> number & 1) && !(at.pair.state.segments[State::cs].selector & 3);
}

bool page_number(const Field& field, const MarkContext&) {
    constexpr std::uint64_t page_bits = 0xffff'f000;
    return (register_number(field) < 16 || field.name == "cr3") && !((field.leader ^ field.follower) & ~page_bits);
}

bool time_stamp(const Field& field, const MarkContext& at) {
    return register_number(field) < 16 && field.follower >= at.first_tick && field.follower <= at.tick &&
           field.leader != 0;
}

bool flags(const Field& field, const MarkContext&) {
    constexpr std::uint64_t arithmetic = 0x8d5;
    return field.name == "rflags" && !((field.leader ^ field.follower) & ~arithmetic);
}

bool loader(const Field& field, const MarkContext& at) {
    if (register_number(field) < 16) return at.from_loader.contains({field.name, {field.leader, field.follower}});
    return field.name == "idtr.limit" && at.pair.state.segments[State::idt].base == 0;
}

constexpr std::array table{
    MarkDifference{"mark-flags", "arithmetic flags at a mark", "CF, PF, AF, ZF, SF, OF",
                   "a mark is declared to clobber them: no code counts on them there", Fault::machine, flags},
    MarkDifference{"mark-unread", "general registers that are written before they are read again, or never read",
                   "what the two execute behind the mark", "left over from other paths", Fault::machine, unread},
    MarkDifference{"mark-scratch", "RAX, RCX, RDX, RSI, RDI, R8 to R11 at a mark in ring 0", "the register",
                   "no function preserves them; printing times leaves others in them", Fault::machine, scratch},
    MarkDifference{"mark-page", "CR3 and general registers that differ in the number of a page", "bits 12-31 only",
                   "the firmware's memory map and tables are others, so other pages are free", Fault::machine,
                   page_number},
    MarkDifference{"mark-time", "a general register with a time stamp",
                   "what Bochs has lies between its time stamps at the first mark and now", "clocks are not imposed",
                   Fault::machine, time_stamp},
    MarkDifference{"mark-loader",
                   "what is left of the entry: general registers as they differed at the first mark; IDTR "
                   "before the kernel sets it",
                   "the same two values as there", "QEMU enters by PVH, GRUB in Bochs by multiboot2", Fault::machine,
                   loader},
};

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
        tick_ += other.ticks;
        if (!before) enter(one, other);
        std::vector<Field> fields;
        each_value(one, other, [&](const std::string& name, std::uint64_t a, std::uint64_t b) {
            ++result_.values;
            if (a != b && !explained({name, a, b}, one)) fields.push_back({name, a, b});
        });
        ++result_.stops;
        if (!fields.empty())
            return differ({.number = number, .what = "their states differ", .fields = std::move(fields)}, one, other,
                          before);
        return !before || count(number, one, other, before);
    }

    // How many instructions a stretch has, by where it begins and ends. 0: not always the same in one engine.
    void lengths(std::span<const MarkStop> stops, bool third) {
        for (std::size_t i = 1; i < stops.size(); ++i) {
            if (interrupted(stops[i], pair_.interrupt_handlers())) continue;
            Length& length = lengths_[{stops[i - 1].address, stops[i].address}][third];
            if (length.seen++ && length.ticks != stops[i].ticks) length.varies = true;
            length.ticks = stops[i].ticks;
        }
    }

  private:
    struct Length {
        std::uint64_t ticks = 0, seen = 0;
        bool varies = false;
        bool steady() const { return seen > 1 && !varies; }
    };

    void enter(const MarkStop& one, const MarkStop& other) {
        first_tick_ = tick_;
        each_value(one, other, [&](const std::string& name, std::uint64_t a, std::uint64_t b) {
            if (a != b && name != "rip" && name != "rsp") from_loader_.insert({name, {a, b}});
        });
    }

    bool count(std::size_t number, const MarkStop& one, const MarkStop& other, const MarkStop* before) {
        const std::array<Length, 2>& length = lengths_[{before->address, one.address}];
        if (!length[0].steady() || !length[1].steady() || one.inputs || interrupted(one, pair_.interrupt_handlers()) ||
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

    bool explained(const Field& field, const MarkStop& one) {
        for (const MarkDifference& entry : table) {
            if (!entry.field(field, {one, first_tick_, tick_, from_loader_})) continue;
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
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::array<Length, 2>> lengths_;
    std::uint64_t tick_ = 0, first_tick_ = 0;  // the third's
    LoaderValues from_loader_;
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
                      .ticks = ticks_ - 1,
                      .deliveries = std::exchange(deliveries_, {}),
                      .inputs = std::exchange(inputs_, 0)});
    ticks_ = 1;  // the instruction at the mark
    undecided_.push_back({stops_.size() - 1, all_registers});
    return true;
}

void MarkLog::note(const std::set<std::uint64_t>& handlers) { handlers_.insert(handlers.begin(), handlers.end()); }

void MarkLog::executes(const Instruction& instruction) {
    for (Undecided& it : undecided_) {
        stops_[it.stop].live = std::uint16_t(stops_[it.stop].live | (it.registers & instruction.reads));
        it.registers = std::uint16_t(it.registers & ~instruction.reads);
        it.registers = std::uint16_t(it.registers & ~instruction.writes);
    }
    std::erase_if(undecided_, [](const Undecided& it) { return !it.registers; });
}

void MarkLog::keep(const std::set<std::uint64_t>& addresses) {
    MarkStop left;
    std::vector<MarkStop> kept;
    for (MarkStop& stop : stops_) {
        stop.ticks += std::exchange(left.ticks, 0);
        stop.inputs += std::exchange(left.inputs, 0);
        stop.deliveries.insert(stop.deliveries.begin(), left.deliveries.begin(), left.deliveries.end());
        left.deliveries.clear();
        if (addresses.contains(stop.address)) kept.push_back(std::move(stop));
        else left = std::move(stop);
    }
    stops_ = std::move(kept);
}

MarksResult compare_marks(const MarkLog& pair, std::span<const MarkStop> third, bool cut) {
    MarksResult result;
    Compare compare(pair, result);
    const std::vector<MarkStop>& stops = pair.stops();
    const std::size_t common = std::min(stops.size(), third.size());
    compare.lengths(stops, false);
    compare.lengths(third, true);
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
