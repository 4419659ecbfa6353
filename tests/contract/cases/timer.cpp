// SPDX-License-Identifier: MIT
// The one-shot timer and the clock it counts by. Lower bounds only: how late an interrupt comes is nobody's promise.
#include "../check.hpp"

namespace {

constexpr std::uint64_t short_ns = 200'000;
constexpr std::uint64_t patience_ns = 2'000'000'000;

void spin_until(std::uint64_t time_ns) {
    while (hal::now_ns() < time_ns) hal::relax();
}
// Interrupts on. False if nothing came for a long time.
bool spin_until_fired(const contract::TimerOwner& timer, std::uint64_t count) {
    const std::uint64_t limit_ns = hal::now_ns() + patience_ns;
    while (timer.fired() < count && hal::now_ns() < limit_ns) hal::relax();
    return timer.fired() >= count;
}

// Interrupts as a case needs them, put back at its end.
class Interrupts {
  public:
    explicit Interrupts(bool on) : before_(hal::irq_enabled()) { set(on); }
    ~Interrupts() { set(before_); }
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

  private:
    static void set(bool on) {
        if (on) hal::irq_enable();
        else hal::irq_disable();
    }
    bool before_;
};

void arm(std::uint64_t deadline_ns) {
    hal::IrqGuard masked;
    hal::timer_arm(deadline_ns);
}

}  // namespace

CONTRACT_CASE(clock_is_monotonic_and_moves) {
    const std::uint64_t first = hal::now_ns();
    std::uint64_t last = first;
    for (int i = 0; i < 5000; ++i) {
        const std::uint64_t now = hal::now_ns();
        CHECK(now >= last);
        last = now;
    }
    CHECK(last > first);
}

CONTRACT_CASE(clock_and_cycles_agree) {
    const std::uint64_t ns = hal::now_ns(), ticks = hal::cycles();
    spin_until(ns + 1'000'000);
    const std::uint64_t ns_passed = hal::now_ns() - ns, ticks_passed = hal::cycles() - ticks;
    const std::uint64_t ns_by_ticks = ticks_passed * 1'000'000 / (hal::cycles_per_second() / 1000);
    // What a preemption between the two readings at either end can add is bounded by what passed.
    CHECK(ns_passed >= 1'000'000);
    CHECK(ns_by_ticks >= 500'000);
}

CONTRACT_CASE(timer_fires_once_and_not_early) {
    contract::TimerOwner timer;
    Interrupts on(true);
    const std::uint64_t deadline_ns = hal::now_ns() + short_ns;
    arm(deadline_ns);
    REQUIRE(spin_until_fired(timer, 1));
    CHECK(timer.last_fired_ns() >= deadline_ns);
    spin_until(hal::now_ns() + 2 * short_ns);
    CHECK(timer.fired() == 1);
}

CONTRACT_CASE(arming_again_replaces_an_earlier_deadline) {
    contract::TimerOwner timer;
    Interrupts on(true);
    const std::uint64_t start_ns = hal::now_ns();
    const std::uint64_t later_ns = start_ns + 50 * short_ns;
    {
        hal::IrqGuard masked;
        hal::timer_arm(start_ns + 40 * short_ns);
        hal::timer_arm(later_ns);
    }
    REQUIRE(spin_until_fired(timer, 1));
    CHECK(timer.last_fired_ns() >= later_ns);
    spin_until(hal::now_ns() + short_ns);
    CHECK(timer.fired() == 1);
}

CONTRACT_CASE(arming_again_replaces_a_later_deadline) {
    contract::TimerOwner timer;
    Interrupts on(true);
    const std::uint64_t far_ns = hal::now_ns() + 1000 * patience_ns;
    {
        hal::IrqGuard masked;
        hal::timer_arm(far_ns);
        hal::timer_arm(hal::now_ns() + short_ns);
    }
    REQUIRE(spin_until_fired(timer, 1));
    CHECK(timer.last_fired_ns() < far_ns);
}

CONTRACT_CASE(deadline_in_the_past_fires_soon) {
    contract::TimerOwner timer;
    Interrupts on(true);
    arm(0);
    CHECK(spin_until_fired(timer, 1));
    arm(hal::now_ns());
    CHECK(spin_until_fired(timer, 2));
}

CONTRACT_CASE(disarmed_timer_stays_silent) {
    contract::TimerOwner timer;
    Interrupts on(true);
    const std::uint64_t deadline_ns = hal::now_ns() + 20 * short_ns;
    {
        hal::IrqGuard masked;
        hal::timer_arm(deadline_ns);
        hal::timer_disarm();
    }
    spin_until(deadline_ns + short_ns);
    CHECK(timer.fired() == 0);
}

CONTRACT_CASE(halt_sleeps_until_the_interrupt) {
    contract::TimerOwner timer;
    Interrupts off(false);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        const std::uint64_t deadline_ns = hal::now_ns() + short_ns;
        hal::timer_arm(deadline_ns);
        while (timer.fired() < i) hal::halt_until_interrupt();  // another device may wake it earlier
        CHECK(!hal::irq_enabled());
        CHECK(timer.fired() == i);
        CHECK(timer.last_fired_ns() >= deadline_ns);
    }
}

CONTRACT_CASE(halt_takes_an_interrupt_that_waits_already) {
    contract::TimerOwner timer;
    Interrupts off(false);
    hal::timer_arm(hal::now_ns());
    spin_until(hal::now_ns() + short_ns);
    CHECK(timer.fired() == 0);
    hal::halt_until_interrupt();
    CHECK(timer.fired() == 1);
    CHECK(!hal::irq_enabled());
}

CONTRACT_GROUP(timer)
