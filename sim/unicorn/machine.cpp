// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/machine.hpp>

#include <algorithm>
#include <sim/board/text.hpp>

namespace sim::unicorn {

namespace {
const RunConfig& checked(const RunConfig& config) {
    if (!config.image) throw EngineError("there is no kernel image to run");
    if (config.clock == Clock::cycles && !config.modelled_cycles)
        throw EngineError("the cycle clock needs a timing model to ask");
    if (config.cpus < 1 || config.cpus > cpus_most)
        throw EngineError(text("the board takes 1 to %u CPUs, not %u", cpus_most, config.cpus));
    if (config.quantum < 1) throw EngineError("the quantum of several CPUs is 1 instruction or more");
    if (config.cpus > 1 && config.clock == Clock::cycles)
        throw EngineError(
            "the cycle clock runs one CPU: modelled cycles of several have no common clock yet; leave out --clock "
            "cycles, or --cpus");
    return config;
}
}  // namespace

Machine::Machine(const RunConfig& config, const CpuidTable& cpuid) : run_(checked(config), cpuid) {
    const KernelEntry entry = load_kernel(run_.board.memory, config);
    entry_address_ = entry.address;
    if (config.imposed && config.cpus > 1) throw EngineError("a run whose inputs are imposed has one CPU");
    for (unsigned i = 0; i < config.cpus; ++i) cpus_.push_back(std::make_unique<Cpu>(run_, i));
    if (config.imposed) cpus_[0]->start_imposed();
    else cpus_[0]->enter(entry);
}

RunResult Machine::run() {
    const RunConfig& config = run_.config;
    if (config.events)
        config.events->on_input(
            {.cpu = 0, .index = 0, .kind = InputKind::start, .address = entry_address_, .value = config.seed});
    while (!run_.stopping) run_next();
    RunResult& result = run_.result;
    for (const auto& cpu : cpus_) {
        cpu->finish();
        result.cpu_instructions.push_back(cpu->instructions());
        result.guest_ticks = std::max(result.guest_ticks, cpu->now_ticks());
    }
    run_.board.chipset.uart.flush();
    if (config.progress) config.progress->store(run_.retired, std::memory_order_relaxed);
    result.instructions = run_.retired;
    if (config.imposed) config.imposed->end(result.stop);
    return std::move(result);
}

// The CPU with the smallest local time, the first of them by number.
void Machine::run_next() {
    Cpu* first = nullptr;
    std::uint64_t first_at = Cpu::never, others_at = Cpu::never;
    for (const auto& cpu : cpus_) {
        const std::uint64_t at = cpu->ready_at();
        others_at = std::min(others_at, at < first_at ? first_at : at);
        if (at < first_at) first = cpu.get(), first_at = at;
    }
    if (!first) return stop_halted();
    const bool alone = others_at == Cpu::never;
    first->run_slice(others_at, alone ? Cpu::never : others_at + run_.interleaving.ahead(first_at));
}

// No CPU can ever go on.
void Machine::stop_halted() {
    std::string what;
    for (unsigned i = 0; i < cpus_.size(); ++i) {
        const Cpu& cpu = *cpus_[i];
        const std::string why = !cpu.halted() ? "it was never started"
                                              : (cpu.interruptible() ? "HLT with no interrupt to come, before "
                                                                     : "HLT with interrupts off, before ") +
                                                    cpu.where_it_is();
        what += (what.empty() ? "" : "; ") + (cpus_.size() > 1 ? text("CPU %u: ", i) : "") + why;
    }
    cpus_[0]->stop(StopReason::halted_for_ever, what);
}

}  // namespace sim::unicorn
