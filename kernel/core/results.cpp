// SPDX-License-Identifier: MIT
#include <abi/result.hpp>
#include <core/boot_phases.hpp>
#include <core/log.hpp>
#include <core/results.hpp>
#include <core/scenario.hpp>
#include <core/tour_threads.hpp>
#include <hal/cpu.hpp>
#include <mem/slab.hpp>

namespace exo {

namespace {
constinit bool wanted = false;
}

void results_init(std::string_view command_line) { wanted = option(command_line, "results", "0") == "1"; }
bool results_wanted() { return wanted; }

void result(std::string_view group, std::string_view name, std::uint64_t value, std::string_view unit) {
    if (wanted) result_line(group, name, value, unit);
}
void result(std::string_view name, std::uint64_t value, std::string_view unit) { result("", name, value, unit); }

void result_line(std::string_view group, std::string_view name, std::uint64_t value, std::string_view unit) {
    TextBuffer<160> line;
    line.format("{}{}{}{} {} {}", abi::result_start, group, group.empty() ? "" : ".", name, value, unit);
    const std::uint32_t crc = abi::result_crc32c(line.view());
    log("{}{}{:08x}\n", line.view(), abi::result_checksum, crc);
}

void results_of_boot() {
    std::uint64_t before = boot_entry_cycles();
    for (const BootPhase& phase : boot_phases()) {
        result("boot", phase.name, phase.cycles - before, "cycles");
        before = phase.cycles;
    }
    result("boot", before - boot_entry_cycles(), "cycles");
    result("boot", "power_on_to_entry", boot_entry_cycles(), "cycles");  // where the time stamp starts at 0
}

void results_of_operations() {
    if (!wanted) return;
    constexpr std::uint64_t rounds = 1000;
    tour_ping_pong(rounds);  // warm
    std::uint64_t start = hal::cycles();
    tour_ping_pong(rounds);
    result("kernel.ring_round_trip", (hal::cycles() - start) / rounds, "cycles");
    start = hal::cycles();
    for (std::uint64_t i = 0; i < rounds; ++i) {
        void* const object = heap_allocate(64);
        if (object == nullptr) return;
        heap_free(object, 64);
    }
    result("kernel.allocate_free_64", (hal::cycles() - start) / rounds, "cycles");
}

}  // namespace exo
