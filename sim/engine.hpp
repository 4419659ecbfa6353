// SPDX-License-Identifier: GPL-2.0-or-later
// What an engine is asked to do, what it can do, and how a run ended.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <sim/events.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

class Image;    // sim/image/image.hpp
class Imposed;  // sim/imposed.hpp

enum class Clock : std::uint8_t {
    instructions,  // the guest's time stamp is retired instructions (plus what HLT skipped): nothing modelled feeds
                   // back
    cycles         // the guest's time stamp is modelled cycles
};

// Guest clock: ticks of the time-stamp counter. One retired instruction is one tick under Clock::instructions.
inline constexpr std::uint64_t tsc_hz = 3'000'000'000;
// The local APIC's bus clock, before its divider.
inline constexpr std::uint64_t lapic_hz = tsc_hz / 30;

// How the image is entered: its own 64-bit entry with a StartInfo, or in 32-bit protected mode as a loader would.
enum class BootProtocol : std::uint8_t {
    automatic,  // direct for an image with our marks, else PVH, else multiboot2, else direct
    direct,
    pvh,
    multiboot2
};

inline constexpr unsigned cpus_most = 16;
inline constexpr std::uint64_t default_quantum = 600;

struct RunConfig {
    const Image* image = nullptr;
    unsigned cpus = 1;  // 1 .. cpus_most
    // Several CPUs: instructions that one runs ahead of the others, on the average; 1 or more.
    std::uint64_t quantum = default_quantum;
    BootProtocol entry = BootProtocol::automatic;
    std::string command_line;                // for the guest
    std::uint64_t ram_bytes = 128ull << 20;  // 16 MiB .. 3 GiB
    Clock clock = Clock::instructions;
    std::uint64_t seed = 0;
    bool jitter = false;  // seeded extra interrupts' delay: see docs/adr on interrupt delivery
    // Extra timer interrupts of the boot CPU before these retired-instruction numbers (or its next one after them).
    std::vector<std::uint64_t> irq_at;
    std::optional<std::uint64_t> instruction_limit;
    std::function<void(std::string_view)> console;   // guest output as it comes
    const std::atomic<bool>* stop = nullptr;         // set from a signal handler: the run ends at the next instruction
    std::atomic<std::uint64_t>* progress = nullptr;  // retired instructions so far, updated now and then
    EventSink* events = nullptr;                     // null: no events, the fastest way
    std::function<Cycle()> modelled_cycles;          // Clock::cycles only
    Imposed* imposed = nullptr;  // inputs and interrupts come from there, not from devices; Clock::instructions only
};

enum class StopReason : std::uint8_t {
    power_off,     // the guest asked for it and reports success
    guest_failed,  // the guest asked for it and reports failure (panic)
    triple_fault,
    halted_for_ever,  // HLT with nothing that could wake it
    instruction_limit,
    console_limit,  // the guest printed more than it may; decided by whoever takes its console
    window_end,     // what was asked for has been traced; the guest would go on
    interrupted,    // `stop` was set
    imposed,        // whoever imposes inputs and interrupts wants no more
    reset,          // the guest asked for a reset
    outside_ram,    // fetched or touched physical memory that is not there
    unsupported,    // an instruction this engine cannot run faithfully
    engine_error
};
std::string_view name(StopReason);  // "power-off", "guest-failed", "triple-fault", ...

struct Registers {
    std::uint64_t general[16];  // in encoding order
    std::uint64_t rip, rflags, cr0, cr2, cr3, cr4, efer, fs_base, gs_base;
    std::uint16_t cs, ss;
};

struct FaultStep {  // one link of a fault chain: what was raised, where, with which registers
    std::uint8_t vector;
    bool has_error_code;
    std::uint32_t error_code;
    std::uint64_t cr2;
    std::string why_not_delivered;  // empty if it was
    Registers registers;
};

inline constexpr std::size_t interrupts_noted = 1 << 16;  // of RunResult::interrupts_at: no more are kept

struct RunResult {
    StopReason stop = StopReason::engine_error;
    std::string detail;                              // one line for people: address, instruction, cause
    InstructionIndex instructions = 0;               // of all CPUs
    std::vector<InstructionIndex> cpu_instructions;  // of each; empty from engines that do not tell
    std::uint64_t guest_ticks = 0;
    std::uint8_t guest_code = 0;               // what the guest wrote to the power-off port
    Registers registers{};                     // at the end
    std::vector<FaultStep> faults;             // the last faults in a row, oldest first (triple fault: the whole chain)
    std::vector<std::uint64_t> interrupts_at;  // retired-instruction numbers at which interrupts were delivered
    std::vector<std::uint64_t> irq_at_ignored;  // of RunConfig::irq_at: the timer was masked or not set up then
};

struct Capabilities {
    bool exact_interrupts, register_values, cycle_clock, snapshots, several_cpus;
};

class Engine {
  public:
    virtual ~Engine() = default;
    virtual std::string name() const = 0;     // "unicorn"
    virtual std::string version() const = 0;  // of the library actually loaded
    virtual std::string cpu() const = 0;      // what the guest sees
    virtual Capabilities capabilities() const = 0;
    virtual RunResult run(const RunConfig&) = 0;  // throws EngineError when it cannot even start
};

// The engine is missing, too old or cannot start; `what()` names the cause and the next step (exit status 4).
struct EngineError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::unique_ptr<Engine> make_unicorn_engine();  // throws EngineError

}  // namespace sim
