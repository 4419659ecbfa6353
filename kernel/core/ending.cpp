// SPDX-License-Identifier: MIT
#include <core/ending.hpp>
#include <core/log.hpp>
#include <core/scenario.hpp>
#include <hal/console.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/timer.hpp>
#include <sched/wait_queue.hpp>

namespace exo {

namespace {

constinit std::string_view ending;
constexpr std::uint64_t look_every_ns = 20'000'000;

void sleep_a_little() {
    constinit static WaitQueue nobody_wakes;
    hal::IrqGuard masked;
    wait_on(nobody_wakes, hal::now_ns() + look_every_ns);
}
void spin_a_little() { hal::relax(); }

[[noreturn]] void end(hal::PowerOff outcome, void (*pause)(), const TextSink& sink) {
    if (ending == "reboot") hal::reboot();
    const bool by_key = ending == "key";
    if (!by_key && ending != "halt") hal::power_off(outcome);
    format_to(sink, "{}\n", by_key ? "p: power off, r: reboot" : "halted");
    for (;; pause()) {
        const int c = by_key ? hal::console_read() : -1;
        if (c == 'p' || c == 'P') hal::power_off(outcome);
        if (c == 'r' || c == 'R') hal::reboot();
    }
}

}  // namespace

void ending_init(std::string_view command_line) { ending = option(command_line, "end", "power-off"); }

void end_run(hal::PowerOff outcome) {
    end(outcome, sleep_a_little, {[](void*, std::string_view text) { console_text(text); }, nullptr});
}

void end_in_panic() { end(hal::PowerOff::failure, spin_a_little, console_sink()); }

}  // namespace exo
