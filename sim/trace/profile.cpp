// SPDX-License-Identifier: GPL-2.0-or-later
// Functions and marks of a code block are looked up once, when it is first seen; a block without marks in one function
// then costs a few additions.
#include <algorithm>
#include <array>
#include <map>
#include <sim/engine.hpp>
#include <sim/trace/profile.hpp>
#include <unordered_map>

namespace sim {
namespace {

using exo::abi::MarkKind;

std::uint32_t saturated(std::uint64_t value) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(value, ~0u)); }

struct Range {
    std::uint32_t less = 0, more = 0;
};

// Samples of cycles with their ranges, or of instructions without. Up to a limit all are kept; then every second,
// fourth, ... so that memory stays bounded. Ranges take room once there are any.
class Samples {
  public:
    void add(std::uint64_t value, std::uint64_t less = 0, std::uint64_t more = 0) {
        min_ = std::min(min_, value);
        total_ += value;
        if (seen_++ % step_) return;
        if (kept_.size() == limit) {
            halve(kept_);
            if (!ranges_.empty()) halve(ranges_);
            step_ *= 2;
            if ((seen_ - 1) % step_) return;
        }
        kept_.push_back(saturated(value));
        if (ranges_.empty() && !less && !more) return;
        ranges_.resize(kept_.size());
        ranges_.back() = {saturated(less), saturated(more)};
    }
    MarkSummary::Spread spread() const {
        if (kept_.empty()) return {};
        std::vector<std::uint32_t> sorted = kept_;
        std::ranges::sort(sorted);
        std::size_t n = sorted.size();
        return {min_, sorted[(n - 1) / 2], sorted[(n * 99 + 99) / 100 - 1], total_};  // nearest rank
    }
    Range range(std::uint64_t of) const {  // the narrowest of the samples with that value
        Range best{};
        bool found = false;
        for (std::size_t i = 0; i < ranges_.size(); ++i) {
            if (kept_[i] != of) continue;
            const Range& range = ranges_[i];
            if (!found || std::uint64_t{range.less} + range.more < std::uint64_t{best.less} + best.more) best = range;
            found = true;
        }
        return best;
    }

  private:
    static constexpr std::size_t limit = 4 << 20;
    template <class T>
    static void halve(std::vector<T>& all) {
        for (std::size_t i = 0; i < all.size() / 2; ++i) all[i] = all[2 * i];
        all.resize(all.size() / 2);
    }
    std::vector<std::uint32_t> kept_;
    std::vector<Range> ranges_;  // empty, or as many
    std::uint64_t seen_ = 0, step_ = 1, min_ = ~0ull, total_ = 0;
};

struct MarkState {
    std::string name;
    std::uint64_t count = 0, first_index = 0;
    bool seen = false;
    std::array<std::vector<Spending>, cpus_most>
        open;  // by CPU: what it had spent at begins not yet ended, innermost last; for a point: at its last hit
    Samples cycles, instructions;
    Spending all;
};

// More open begins than this are a scenario without ends: the oldest are forgotten.
constexpr std::size_t max_open = 4096;

struct Hit {
    std::uint16_t instruction;
    MarkKind kind;
    std::uint32_t mark;
};

struct BlockProfile {
    std::vector<Hit> hits;  // by instruction; at one address ends, then points, then begins
    std::vector<std::pair<std::uint16_t, std::uint32_t>> functions;  // from this instruction on, which function
    bool branches = false;                                           // at its end

    std::uint32_t function_of(std::uint32_t instruction) const {
        std::size_t k = functions.size() - 1;
        while (k && functions[k].first > instruction) --k;
        return functions[k].second;
    }
};

class ProfileImpl final : public Profile {
  public:
    explicit ProfileImpl(const Image& image) : image_(image) {
        std::map<std::pair<std::string, bool>, std::uint32_t> numbers;
        for (const Mark& mark : image.marks()) {
            auto [it, fresh] = numbers.try_emplace({mark.name, mark.kind == MarkKind::point},
                                                   static_cast<std::uint32_t>(marks_.size()));
            if (fresh) marks_.emplace_back().name = mark.name;
            at_[mark.address].push_back({0, mark.kind, it->second});
        }
        auto order = [](MarkKind kind) { return kind == MarkKind::end ? 0 : kind == MarkKind::point ? 1 : 2; };
        for (auto& [address, hits] : at_)
            std::ranges::stable_sort(hits, {}, [&](const Hit& hit) { return order(hit.kind); });
    }

    void on_code(const CodeBlock& code) override {
        if (blocks_.size() <= code.id) blocks_.resize(std::size_t{code.id} + 1);
        BlockProfile& block = blocks_[code.id];
        block = {};
        block.branches = !code.instructions.empty() && is_branch(code.instructions.back().flow);
        for (std::size_t i = 0; i < code.instructions.size(); ++i) {
            std::uint64_t address = code.instructions[i].address;
            auto number = static_cast<std::uint16_t>(i);
            if (auto found = at_.find(address); found != at_.end())
                for (Hit hit : found->second) {
                    hit.instruction = number;
                    block.hits.push_back(hit);
                }
            std::uint32_t function = function_of(address);
            if (block.functions.empty() || block.functions.back().second != function)
                block.functions.emplace_back(number, function);
        }
    }

    void on_block(const Block& block, std::span<const RetireTime> times,
                  std::span<const InstructionMisses> misses) override {
        const BlockProfile& known = blocks_[block.code->id];
        if (!misses.empty()) misses = add_before(block, misses);
        if (!known.hits.empty()) hit_marks(known, block, times, misses);
        count_accesses(known, block);
        if (!misses.empty()) add_misses(known, block, misses);
        if (known.branches && block.count && block.first + block.count == block.code->instructions.size()) {
            ++spent_[block.cpu].branches;
            ++functions_[known.functions.back().second].branches;
        }
        if (block.count && !known.functions.empty())
            last_function_[block.cpu] = known.function_of(block.first + block.count - 1);
        if (known.functions.size() == 1) {
            add(functions_[known.functions[0].second], times.first(block.count), spent_[block.cpu]);
        } else {
            for (std::size_t k = 0; k < known.functions.size(); ++k) {
                std::uint32_t from = std::max<std::uint32_t>(known.functions[k].first, block.first);
                std::uint32_t to = block.first + block.count;
                if (k + 1 < known.functions.size()) to = std::min<std::uint32_t>(to, known.functions[k + 1].first);
                if (from < to)
                    add(functions_[known.functions[k].second], times.subspan(from - block.first, to - from),
                        spent_[block.cpu]);
            }
        }
    }

    void on_transfer(const Transfer& transfer, RetireTime time) override {
        Spending cost;
        add(cost, time);
        functions_[function_of(transfer.target)] += cost;
        spent_[transfer.cpu] += cost;
    }

    std::vector<MarkSummary> marks() const override {
        std::vector<MarkSummary> all;
        for (const MarkState& mark : marks_)
            if (mark.seen) {
                const MarkSummary::Spread cycles = mark.cycles.spread();
                const Range range = mark.cycles.range(cycles.median);
                all.push_back({mark.name, mark.count, cycles, mark.instructions.spread(), mark.first_index, range.less,
                               range.more, mark.all});
            }
        std::ranges::stable_sort(all, {}, &MarkSummary::first_index);
        return all;
    }

    std::vector<FunctionSummary> functions() const override {
        std::vector<FunctionSummary> all;
        for (FunctionSummary function : functions_) {
            if (!function.instructions && !function.cycles) continue;
            const std::string& name = function.address ? image_.locate(function.address).function : unknown_;
            function.name = name.empty() ? unknown_ : name;
            all.push_back(std::move(function));
        }
        std::ranges::sort(all, [](const auto& a, const auto& b) {
            return a.cycles != b.cycles ? a.cycles > b.cycles : a.address < b.address;
        });
        return all;
    }

    Spending total() const override {
        Spending sum;
        for (const Spending& each : spent_) sum += each;
        return sum;
    }

  private:
    std::uint32_t function_of(std::uint64_t address) {
        std::uint64_t start = image_.function_start(address);
        auto [it, fresh] = function_numbers_.try_emplace(start, static_cast<std::uint32_t>(functions_.size()));
        if (fresh) functions_.emplace_back().address = start;
        return it->second;
    }

    static void add(Spending& sum, const RetireTime& time) {
        sum.cycles += time.cycles;
        sum.by_wait[static_cast<std::size_t>(time.wait)] += time.cycles;
        sum.by_provenance[static_cast<std::size_t>(time.rests)] += time.cycles;
        if (time.placeholder_cycles) correct(sum, time);
        sum.placeholder_cycles += time.placeholder_cycles;
        sum.less += time.less;
        sum.more += time.more;
    }
    // The part of an instruction's cycles that is a guess does not rest on what the others do.
    static void correct(Spending& sum, const RetireTime& time) {
        sum.by_provenance[static_cast<std::size_t>(time.rests)] -= time.placeholder_cycles;
        sum.by_provenance[static_cast<std::size_t>(time.guess)] += time.placeholder_cycles;
    }
    static bool is_branch(Flow flow) { return flow >= Flow::branch && flow <= Flow::ret; }

    // What the end of the block before missed, which is known only now. Returns the others.
    std::span<const InstructionMisses> add_before(const Block& block, std::span<const InstructionMisses> misses) {
        if (misses.front().instruction != InstructionMisses::before) return misses;
        if (const std::uint32_t last = last_function_[block.cpu]; last < functions_.size())
            add(functions_[last], misses.front());
        add(spent_[block.cpu], misses.front());
        return misses.subspan(1);
    }
    static void add(Spending& sum, const InstructionMisses& misses) {
        for (std::size_t i = 0; i < miss_count; ++i) sum.misses[i] += misses.counts[i];
    }
    void add_misses(const BlockProfile& known, const Block& block, std::span<const InstructionMisses> misses) {
        for (const InstructionMisses& one : misses) {
            add(spent_[block.cpu], one);
            if (!known.functions.empty()) add(functions_[known.function_of(block.first + one.instruction)], one);
        }
    }
    void count_accesses(const BlockProfile& known, const Block& block) {
        spent_[block.cpu].accesses += block.accesses.size();
        if (known.functions.size() == 1) {
            functions_[known.functions[0].second].accesses += block.accesses.size();
        } else if (!known.functions.empty()) {
            for (const Access& access : block.accesses) ++functions_[known.function_of(access.instruction)].accesses;
        }
    }

    static void add(FunctionSummary& function, std::span<const RetireTime> times, Spending& spent) {
        std::uint64_t cycles = 0, guessed = 0, less = 0, more = 0;
        for (const RetireTime& time : times) {
            if (!time.cycles) continue;  // most retire together with another
            const auto wait = static_cast<std::size_t>(time.wait);
            function.by_wait[wait] += time.cycles;
            spent.by_wait[wait] += time.cycles;
            const auto rests = static_cast<std::size_t>(time.rests);
            function.by_provenance[rests] += time.cycles;
            spent.by_provenance[rests] += time.cycles;
            if (time.placeholder_cycles) [[unlikely]]
                correct(function, time), correct(spent, time);
            cycles += time.cycles;
            guessed += time.placeholder_cycles;
            less += time.less;
            more += time.more;
        }
        for (Spending* sum : {static_cast<Spending*>(&function), &spent}) {
            sum->instructions += times.size();
            sum->cycles += cycles;
            sum->placeholder_cycles += guessed;
            sum->less += less;
            sum->more += more;
        }
    }

    // A mark is hit when its instruction is about to execute: after what retired before it. An instruction that
    // faults does not retire; its mark counts when it is executed again.
    void hit_marks(const BlockProfile& known, const Block& block, std::span<const RetireTime> times,
                   std::span<const InstructionMisses> misses) {
        std::span<const Access> accesses = block.accesses;
        Spending now = spent_[block.cpu];
        const std::uint64_t instructions = now.instructions;
        std::uint32_t done = 0;
        for (const Hit& hit : known.hits) {
            if (hit.instruction < block.first) continue;
            std::uint32_t offset = hit.instruction - block.first;
            if (offset >= block.count) break;
            for (; done < offset; ++done) add(now, times[done]);
            now.instructions = instructions + offset;
            for (; !misses.empty() && misses.front().instruction < offset; misses = misses.subspan(1))
                add(now, misses.front());
            for (; !accesses.empty() && accesses.front().instruction < hit.instruction; accesses = accesses.subspan(1))
                ++now.accesses;
            MarkState& mark = marks_[hit.mark];
            apply(mark, mark.open[block.cpu], hit.kind, now, block.first_index + offset);
        }
    }

    static void apply(MarkState& mark, std::vector<Spending>& open, MarkKind kind, const Spending& now,
                      InstructionIndex index) {
        if (kind != MarkKind::end && !mark.seen) {
            mark.seen = true;
            mark.first_index = index;
        }
        if (kind == MarkKind::begin) {
            if (open.size() == max_open) open.erase(open.begin(), open.begin() + max_open / 2);
            open.push_back(now);
            return;
        }
        if (kind == MarkKind::end && open.empty()) return;
        if (!open.empty()) {
            const Spending between = now - open.back();
            mark.cycles.add(between.cycles, between.less, between.more);
            mark.instructions.add(between.instructions);
            mark.all += between;
            open.pop_back();
        }
        if (kind == MarkKind::point) open.push_back(now);
        ++mark.count;
    }

    const Image& image_;
    const std::string unknown_ = "(unknown)";
    std::unordered_map<std::uint64_t, std::vector<Hit>> at_;  // by address
    std::vector<MarkState> marks_;
    std::vector<BlockProfile> blocks_;                                   // by code id
    std::unordered_map<std::uint64_t, std::uint32_t> function_numbers_;  // by start
    std::vector<FunctionSummary> functions_;
    std::array<Spending, cpus_most> spent_{};  // by CPU
    std::array<std::uint32_t, cpus_most> last_function_ = {};
};

}  // namespace

Spending& Spending::operator+=(const Spending& other) {
    instructions += other.instructions;
    cycles += other.cycles;
    placeholder_cycles += other.placeholder_cycles;
    less += other.less;
    more += other.more;
    const auto add = [](auto& sum, const auto& others) {
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += others[i];
    };
    add(by_wait, other.by_wait), add(by_provenance, other.by_provenance), add(misses, other.misses);
    accesses += other.accesses;
    branches += other.branches;
    return *this;
}

Spending Spending::operator-(const Spending& earlier) const {
    Spending difference = *this;
    difference.instructions -= earlier.instructions;
    difference.cycles -= earlier.cycles;
    difference.placeholder_cycles -= earlier.placeholder_cycles;
    difference.less -= earlier.less;
    difference.more -= earlier.more;
    difference.accesses -= earlier.accesses;
    difference.branches -= earlier.branches;
    const auto subtract = [](auto& from, const auto& less_of) {
        for (std::size_t i = 0; i < from.size(); ++i) from[i] -= less_of[i];
    };
    subtract(difference.by_wait, earlier.by_wait);
    subtract(difference.by_provenance, earlier.by_provenance);
    subtract(difference.misses, earlier.misses);
    return difference;
}

std::unique_ptr<Profile> make_profile(const Image& image) { return std::make_unique<ProfileImpl>(image); }

}  // namespace sim
