// SPDX-License-Identifier: MIT
// Masking of interrupts nests and restores.
#include "../check.hpp"

namespace {
// Runs the body with interrupts on or off, and puts back what was.
template <typename F>
void with_interrupts(bool on, F body) {
    const bool before = hal::irq_enabled();
    if (on) hal::irq_enable();
    else hal::irq_disable();
    body();
    if (before) hal::irq_enable();
    else hal::irq_disable();
}
}  // namespace

CONTRACT_CASE(irq_save_masks_and_restore_restores) {
    for (const bool on : {false, true}) {
        with_interrupts(on, [&] {
            CHECK(hal::irq_enabled() == on);
            const hal::IrqState state = hal::irq_save();
            CHECK(!hal::irq_enabled());
            hal::irq_restore(state);
            CHECK(hal::irq_enabled() == on);
        });
    }
}

CONTRACT_CASE(irq_scopes_nest) {
    with_interrupts(true, [] {
        {
            hal::IrqGuard outer;
            CHECK(!hal::irq_enabled());
            {
                hal::IrqGuard inner;
                CHECK(!hal::irq_enabled());
            }
            CHECK(!hal::irq_enabled());
        }
        CHECK(hal::irq_enabled());
    });
}

CONTRACT_CASE(masked_interrupts_wait_until_enabled) {
    contract::TimerOwner timer;
    with_interrupts(false, [&] {
        const std::uint64_t deadline_ns = hal::now_ns() + 20'000;
        hal::timer_arm(deadline_ns);
        while (hal::now_ns() < deadline_ns + 50'000) hal::relax();
        CHECK(timer.fired() == 0);
        const std::uint64_t limit_ns = hal::now_ns() + 1'000'000'000;
        hal::irq_enable();
        while (timer.fired() == 0 && hal::now_ns() < limit_ns) hal::relax();
        hal::irq_disable();
        CHECK(timer.fired() == 1);
    });
}

CONTRACT_GROUP(irq)
