// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/machine.hpp>

namespace sim::unicorn {

Machine::Machine(const RunConfig& config, const CpuidTable& cpuid) : run_(config, cpuid) {
    if (!config.image) throw EngineError("there is no kernel image to run");
    if (config.clock == Clock::cycles && !config.modelled_cycles)
        throw EngineError("the cycle clock needs a timing model to ask");
    const KernelEntry entry = load_kernel(run_.board.memory, config);
    entry_address_ = entry.address;
    cpus_.push_back(std::make_unique<Cpu>(run_, 0));
    cpus_[0]->enter(entry);
}

RunResult Machine::run() {
    const RunConfig& config = run_.config;
    if (config.events)
        config.events->on_input(
            {.cpu = 0, .index = 0, .kind = InputKind::start, .address = entry_address_, .value = config.seed});
    while (!run_.stopping) {
        if (Cpu* cpu = next()) cpu->run_slice();
        else stop_halted();
    }
    RunResult& result = run_.result;
    for (const auto& cpu : cpus_) {
        cpu->finish();
        result.cpu_instructions.push_back(cpu->instructions());
        result.guest_ticks = std::max(result.guest_ticks, cpu->now_ticks());
    }
    run_.board.chipset.uart.flush();
    if (config.progress) config.progress->store(run_.retired, std::memory_order_relaxed);
    result.instructions = run_.retired;
    return std::move(result);
}

Cpu* Machine::next() {
    Cpu* first = nullptr;
    std::uint64_t first_at = Cpu::never;
    for (const auto& cpu : cpus_) {
        const std::uint64_t at = cpu->ready_at();
        if (at < first_at) first = cpu.get(), first_at = at;
    }
    return first;
}

void Machine::stop_halted() {
    Cpu& cpu = *cpus_[0];
    cpu.stop(StopReason::halted_for_ever,
             (cpu.interruptible() ? "HLT with no interrupt to come, before " : "HLT with interrupts off, before ") +
                 cpu.where_it_is());
}

}  // namespace sim::unicorn
