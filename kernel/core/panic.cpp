// SPDX-License-Identifier: MIT
#include <core/cpus.hpp>
#include <core/ending.hpp>
#include <core/log.hpp>
#include <core/panic.hpp>
#include <core/symbols.hpp>

namespace exo {

namespace {

constinit std::atomic<unsigned> panicking = 0;  // 1 + the index of the CPU that was first; 0: none
using Describe = void (*)(const TextSink&);
constinit Describe describe_more = nullptr;

unsigned own_number() { return static_cast<unsigned>(hal::cpu_index()) + 1; }

[[noreturn]] void stop_here() {
    hal::irq_disable();
    for (;;) hal::relax();
}

// The others stop at their wake interrupt, or wait for ever for a lock that this CPU holds. One that is writing
// finishes.
void stop_others() {
    if (cpus_running() < 2) return;
    cpus_interrupt_others();
    for (unsigned turns = 0; turns < 20'000 && console_busy(); ++turns) hal::relax();
}

void print_frame(unsigned depth, std::uintptr_t address, const TextSink& sink) {
    const Symbol symbol = symbol_at(address);
    if (symbol.name.empty()) format_to(sink, "  #{} {:#016x}\n", depth, address);
    else format_to(sink, "  #{} {:#016x} {}+{:#x}\n", depth, address, symbol.name, symbol.offset);
}

// A panic inside a panic says so and stops at once.
TextSink begin(std::string_view cause) {
    (void)hal::irq_save();
    const TextSink sink = console_sink();
    unsigned first = 0;
    if (!panicking.compare_exchange_strong(first, own_number(), std::memory_order_relaxed)) {
        if (first != own_number()) stop_here();
        format_to(sink, "\npanic in a panic: {}\n", cause);
        end_in_panic();
    }
    stop_others();
    const auto* cpu = static_cast<const PerCpu*>(hal::per_cpu());
    const std::string_view thread = cpu != nullptr && cpu->current != nullptr ? cpu->current->name : "none";
    if (cpus_running() < 2) format_to(sink, "\nPANIC: {} (thread {})\n", cause, thread);
    else format_to(sink, "\nPANIC: {} (CPU {}, thread {})\n", cause, own_number() - 1, thread);
    if (describe_more != nullptr) describe_more(sink);
    return sink;
}

}  // namespace

void panic_stop_if_elsewhere() {
    const unsigned first = panicking.load(std::memory_order_relaxed);
    if (first != 0 && first != own_number()) stop_here();
}

void panic_describe_with(void (*describe)(const TextSink&)) { describe_more = describe; }

void print_backtrace(std::uintptr_t instruction, std::uintptr_t frame_pointer, const TextSink& sink) {
    print_frame(0, instruction, sink);
    for (unsigned depth = 1; depth < 32; ++depth) {
        std::uintptr_t return_address = 0;
        if (!hal::FramePointerWalk::next(frame_pointer, return_address)) return;
        print_frame(depth, return_address, sink);
    }
}

void panic(std::string_view cause) {
    const TextSink sink = begin(cause);
    print_backtrace(reinterpret_cast<std::uintptr_t>(&panic),
                    reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)), sink);
    end_in_panic();
}

void panic_assert(const char* expression, const char* file, int line) {
    TextBuffer<256> cause;
    cause.format("assertion failed: {}, {}:{}", expression, file, line);
    panic(cause.view());
}

void panic_trap(const hal::TrapFrame& frame, const hal::TrapInfo& info) {
    TextSink sink = begin(info.name);
    hal::describe(frame, sink);
    print_backtrace(info.instruction, info.frame_pointer, sink);
    end_in_panic();
}

}  // namespace exo

extern "C" [[noreturn]] void kernel_stack_smashed() { exo::panic("stack smashed"); }
