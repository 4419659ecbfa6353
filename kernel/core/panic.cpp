// SPDX-License-Identifier: MIT
#include <core/cpu.hpp>
#include <core/log.hpp>
#include <core/panic.hpp>
#include <core/symbols.hpp>
#include <hal/power.hpp>

namespace exo {

namespace {

constinit bool panicking = false;

[[noreturn]] void stop() { hal::power_off(hal::PowerOff::failure); }

void print_frame(unsigned depth, std::uintptr_t address, const TextSink& sink) {
    const Symbol symbol = symbol_at(address);
    if (symbol.name.empty()) format_to(sink, "  #{} {:#016x}\n", depth, address);
    else format_to(sink, "  #{} {:#016x} {}+{:#x}\n", depth, address, symbol.name, symbol.offset);
}

// A panic inside a panic says so and stops at once.
TextSink begin(std::string_view cause) {
    (void)hal::irq_save();
    const TextSink sink = console_sink();
    if (panicking) {
        format_to(sink, "\npanic in a panic: {}\n", cause);
        stop();
    }
    panicking = true;
    const auto* cpu = static_cast<const PerCpu*>(hal::per_cpu());
    const std::string_view thread = cpu != nullptr && cpu->current != nullptr ? cpu->current->name : "none";
    format_to(sink, "\nPANIC: {} (thread {})\n", cause, thread);
    return sink;
}

}  // namespace

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
    stop();
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
    stop();
}

}  // namespace exo

extern "C" [[noreturn]] void kernel_stack_smashed() { exo::panic("stack smashed"); }
