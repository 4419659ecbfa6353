// SPDX-License-Identifier: GPL-2.0-or-later
#include <devenv/engines.hpp>
#include <devenv/environment.hpp>
#include <devenv/simulate.hpp>
#include <sim/qemu/engine.hpp>

namespace devenv {

namespace {

void need(const sim::Engine& engine, bool asked, bool able, const char* option, const char* capability) {
    if (!asked || able) return;
    throw Failure(Exit::missing, std::string(option) + " needs " + capability + ", which the engine " + engine.name() +
                                     " does not have; use --engine unicorn");
}

void check(const sim::Engine& engine, const Scenario& scenario) {
    const sim::Capabilities can = engine.capabilities();
    need(engine, scenario.clock == "cycles", can.cycle_clock, "--clock cycles", "a clock fed by the timing model");
    need(engine, !scenario.irq_at.empty(), can.exact_interrupts, "--irq-at", "exact placement of interrupts");
    need(engine, scenario.jitter, can.exact_interrupts, "--jitter", "exact placement of interrupts");
    if (scenario.engine != "qemu") return;
    need(engine, scenario.entry != "auto" && scenario.entry != "pvh", false, ("--entry " + scenario.entry).c_str(),
         "entry other than by PVH");
    need(engine, scenario.quantum != sim::default_quantum, false, "--quantum", "turns of a chosen length");
}

}  // namespace

std::unique_ptr<sim::Engine> make_engine(const std::string& name, const Scenario& scenario) {
    auto engine = name == "qemu" ? sim::make_qemu_engine(environment().qemu_plugin()) : sim::make_unicorn_engine();
    check(*engine, scenario);
    return engine;
}

}  // namespace devenv
