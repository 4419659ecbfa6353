// SPDX-License-Identifier: GPL-2.0-or-later
// The out-of-order core: when each instruction of one CPU's stream is dispatched, issued, complete and retired. It
// looks at instructions in program order, once each, and books what they need: a slot of dispatch, places in the
// windows, a cycle of a unit, a slot of retirement. An instruction-window-centric model in the manner of Sniper
// (Carlson et al., ACM TACO 11(3), 2014), with units booked by cycle. No wrong paths are executed.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <sim/events.hpp>
#include <sim/timing/calendar.hpp>
#include <sim/timing/machine.hpp>
#include <sim/timing/memory.hpp>
#include <sim/timing/model.hpp>
#include <sim/timing/recipe.hpp>
#include <span>
#include <vector>

namespace sim::timing {

// A buffer of limited size whose entries leave at times of their own.
class Window {
  public:
    explicit Window(unsigned capacity) : capacity_(capacity) {}
    // The first cycle from `cycle` on with a free place; the place is taken then. Cycles never go back.
    std::uint64_t enter(std::uint64_t cycle) {
        advance(cycle);
        while (held_ >= capacity_) advance(now_ + 1);
        ++held_;
        return now_;
    }
    void leave(std::uint64_t cycle) {
        cycle = std::clamp(cycle, now_ + 1, now_ + span_cycles - 1);
        ++leaving_[cycle % span_cycles];
    }

  private:
    static constexpr std::uint64_t span_cycles = 2048;
    void advance(std::uint64_t cycle) {
        if (cycle >= now_ + span_cycles) {  // a long wait: all have left
            std::ranges::fill(leaving_, std::uint16_t{0});
            held_ = 0;
            now_ = cycle;
        }
        while (now_ < cycle) {
            std::uint16_t& left = leaving_[++now_ % span_cycles];
            held_ -= left;
            left = 0;
        }
    }
    unsigned capacity_, held_ = 0;
    std::uint64_t now_ = 0;
    std::array<std::uint16_t, span_cycles> leaving_{};
};

// So many slots a cycle, taken in order; what is left of an operation's goes on in the next cycle.
struct Slots {
    unsigned width;
    unsigned used = 0;
    std::uint64_t cycle = 0;

    void advance(std::uint64_t to) {
        if (to > cycle) cycle = to, used = 0;
    }
    void take(unsigned count) {
        used += count;
        while (used >= width) used -= width, ++cycle;
    }
};

// A queue of limited size whose entries leave in order: when each of the last so many does.
class Queue {
  public:
    explicit Queue(unsigned size) : size_(size), leaves_(size) {}
    // When there is room for `count` more.
    std::uint64_t oldest(unsigned count) const {
        unsigned at = next_ + count - 1;
        while (at >= size_) at -= size_;
        return leaves_[at];
    }
    void put(std::uint64_t leaves) {
        leaves_[next_] = leaves;
        if (++next_ == size_) next_ = 0;
    }

  private:
    unsigned size_, next_ = 0;
    std::vector<std::uint64_t> leaves_;
};

// The loads that found their data in a store lately: the CPU foretells that they will again. The least recently asked
// for leaves first.
class Foretold {
  public:
    explicit Foretold(unsigned size) : loads_(size) {}
    // Whether it is known; it is from now on.
    bool seen(const void* load) {
        const auto found = std::ranges::find(loads_, load);
        const bool known = found != loads_.end();
        if (!loads_.empty())
            std::rotate(loads_.begin(), known ? found : loads_.end() - 1, known ? found + 1 : loads_.end());
        if (!known && !loads_.empty()) loads_.front() = load;
        return known;
    }

  private:
    std::vector<const void*> loads_;  // the latest first
};

class Core {
  public:
    // `operations`: RecipeBook's; both outlive the core.
    // memory: null if everything is in the L1.
    Core(const Machine&, const std::vector<Operation>& operations, Memory* memory = nullptr);

    // The times are valid until the next step.
    const InstructionTimes& step(const Recipe&, std::span<const Access>, bool taken);
    // An instruction whose cost is a total of so many cycles.
    const InstructionTimes& step_total(const Recipe&, std::span<const Access>, unsigned cycles, bool drains,
                                       Provenance rests);
    // Nothing is dispatched before `cycle`, because of `why`; `rests`: what that number rests on.
    void hold_until(std::uint64_t cycle, Wait why, Provenance rests) {
        if (cycle > dispatch_.cycle) dispatch_.advance(cycle), held_ = why, held_rests_ = rests, held_until_ = cycle;
    }
    void delay_dispatch(unsigned cycles, Provenance rests) {
        hold_until(dispatch_.cycle + cycles, Wait::front_end, rests);
    }
    // Everything before has retired; then so many cycles in which nothing else happens.
    void drain(unsigned cycles, Provenance rests);
    void count() { ++number_; }                               // an instruction that drained and was not stepped
    const InstructionTimes& times() const { return times_; }  // of the last step
    std::uint64_t retired() const { return retire_.cycle; }
    std::uint64_t stored() const { return last_commit_; }  // all stores so far are in the cache
    std::uint64_t dispatching() const { return dispatch_.cycle; }

  private:
    struct Store {
        std::uint64_t granule = ~0ull, sequence = 0;  // 8 bytes
        std::uint64_t start = 0, end = 0;             // bytes stored
        std::uint64_t data = 0, commit = 0;           // cycles: forwardable, in the cache
        std::uint64_t maker = 0;                      // number of the storing instruction
        std::uint32_t name = 0, version = 0;          // of the operand's registers
        bool vector = false;
        bool older = false;  // another store's bytes of the granule remain beside these: in older_
    };
    static constexpr unsigned store_slot_bits = 10;
    static std::size_t slot_of(std::uint64_t granule) {
        return granule * 0x9e3779b97f4a7c15ull >> (64 - store_slot_bits);
    }

    static unsigned entries_of(const Recipe& recipe) { return recipe.half_slots < 4 ? 1 : recipe.half_slots / 2; }
    std::uint64_t dispatch(const Recipe&);
    // What a value waits for, what its latency rests on and who makes it, in one word: copies of structures that were
    // just written by parts stall the machine that runs this.
    struct Cause {
        std::uint64_t packed = 0;
        Cause() = default;
        Cause(std::uint64_t maker, Wait why, Provenance rests)
            : packed(maker << 16 | static_cast<std::uint64_t>(rests) << 8 | static_cast<std::uint64_t>(why)) {}
        std::uint64_t maker() const { return packed >> 16; }
        Provenance rests() const { return static_cast<Provenance>(packed >> 8 & 0xff); }
        Wait why() const { return static_cast<Wait>(packed & 0xff); }
    };
    struct Ready {  // a value: from when, what its making waited for, which instruction made it
        std::uint64_t at = 0;
        Cause by;
    };
    // `last`: what the instruction waited for; when it issues and is complete go into its times.
    void run_operations(const Recipe&, std::span<const Access>, std::uint64_t dispatched, Ready& last);
    void run_operation(const Operation&, const Recipe&, std::span<const Access>, std::uint64_t dispatched, Ready& last);
    void load(const Operation&, const Recipe&, const Access&, std::uint64_t issue, Ready& loaded);
    // The instruction's in the stream; a taken branch begins another group, as if `renaming_distance` were between.
    std::uint32_t place() const { return static_cast<std::uint32_t>(number_) + places_skipped_; }
    // No register of the address was written just before (by the stack engine does not count).
    bool address_is_old(const Recipe& recipe) const {
        const std::uint32_t now = place();
        return now - versions_[recipe.base] >= machine_.renaming_distance &&
               now - versions_[recipe.index] >= machine_.renaming_distance;
    }
    std::uint32_t version(const Recipe& recipe) const { return versions_[recipe.base] * 31 + versions_[recipe.index]; }
    void remember_store(const Recipe&, const Access&, std::uint64_t data);
    std::uint64_t retire(std::uint64_t complete, unsigned slots);
    void stack(const Recipe&, std::uint64_t dispatched);
    void blame(std::uint64_t waited_until, Cause);
    void commit_store(const Access&, bool nontemporal, std::uint64_t retired);

    const Machine machine_;
    const std::vector<Operation>& operations_;
    Memory* const memory_;
    Calendar units_;
    Window integer_, vector_, loads_;
    std::uint64_t ready_[value::count] = {};  // cycles
    Cause makers_[value::count];
    std::uint64_t number_ = 0;  // of the instruction at hand
    InstructionTimes times_{};  // its
    Wait held_ = Wait::none;    // why dispatch was last held, on what that rests, and until when
    Provenance held_rests_{};
    std::uint64_t held_until_ = 0;
    Slots dispatch_, retire_;               // in half slots; in slots
    Slots commits_, renames_, eliminated_;  // lines stored, loads renamed
    Queue reorder_, store_queue_;
    Foretold foretold_;
    std::uint64_t store_ = 0;
    std::vector<Store> stores_, older_;  // by slot: the last one of a granule, and the one before it that it left
    std::uint64_t last_commit_ = 0, last_piece_ = ~0ull;
    bool renamed_ = false;                 // the load at hand was
    std::uint64_t verified_ = 0;           // then: when the cache has shown that it was right to
    std::uint8_t kin_[value::count] = {};  // of the operation that made each register
    std::uint32_t places_skipped_ = 0;
    std::uint32_t versions_[value::count] = {};  // the place of the instruction that wrote each register last
    bool stack_moved_ = false;                   // by the stack engine, since rsp was last made explicit
    std::uint64_t lock_free_ = 0;
    std::uint64_t next_taken_ = 0;  // when a branch may be taken again, in eighths of a cycle
};

}  // namespace sim::timing
