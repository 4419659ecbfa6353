// SPDX-License-Identifier: MIT
// Signals as exceptions.
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <hal/irq.hpp>
#include <hal/upcalls.hpp>

#include "state.hpp"

// user.cpp: the host's exception table has this one entry.
extern "C" const char exo_host_copy_fault[], exo_host_copy_fixup[];

namespace hal {
namespace {

constexpr int trap_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
constexpr std::size_t signal_stack_bytes = 256 * 1024;

// The handlers are the process's, the stack they run on is each Linux thread's.
struct SavedActions {
    struct sigaction old[std::size(trap_signals)];
    bool installed = false;
};
constinit SavedActions saved{};

struct SignalStack {
    stack_t old;
    void* memory = nullptr;  // mapped: in use
};
constinit SignalStack signal_stacks[cpus_limit]{};
constinit TrapFrame user_traps[cpus_limit]{};  // handed from the signal handler to trap_from_user

std::size_t own_slot() { return std::size_t(cpu_index()); }

TrapFrame frame_of(int signal, const ucontext_t& context) {
    const auto& r = context.uc_mcontext.gregs;
    const auto get = [&](int i) { return std::uint64_t(r[i]); };
    return {get(REG_RAX),
            get(REG_RBX),
            get(REG_RCX),
            get(REG_RDX),
            get(REG_RSI),
            get(REG_RDI),
            get(REG_RBP),
            get(REG_RSP),
            get(REG_R8),
            get(REG_R9),
            get(REG_R10),
            get(REG_R11),
            get(REG_R12),
            get(REG_R13),
            get(REG_R14),
            get(REG_R15),
            get(REG_RIP),
            get(REG_EFL),
            get(REG_TRAPNO),
            get(REG_ERR),
            get(REG_CR2),
            signal,
            host::this_cpu().in_user != 0};
}

// Runs on the faulted program's stack once the signal handler has returned.
[[noreturn]] void trap_from_user() {
    TrapFrame frame = user_traps[own_slot()];
    kernel_trap(frame);
    kernel_return_to_user();
    host::fatal("a user fault was answered by resuming: the host backend cannot do that");
}

void resume_in_trap_from_user(const TrapFrame& frame, ucontext_t& context) {
    user_traps[own_slot()] = frame;
    constexpr std::uint64_t red_zone = 128;  // libc's frames may use one
    context.uc_mcontext.gregs[REG_RSP] = greg_t(((frame.rsp - red_zone) & ~std::uint64_t{15}) - 8);
    context.uc_mcontext.gregs[REG_RIP] = reinterpret_cast<greg_t>(&trap_from_user);
}

void on_signal(int signal, siginfo_t*, void* raw) {
    if (host::this_cpu().in_trap) {
        static constexpr char message[] = "exo-host: a fault while a fault was handled\n";
        (void)!write(STDERR_FILENO, message, sizeof message - 1);
        _exit(3);
    }
    auto& context = *static_cast<ucontext_t*>(raw);
    TrapFrame frame = frame_of(signal, context);
    host::HostCpu& cpu = host::this_cpu();
    const auto interrupts_on = std::exchange(cpu.interrupts_on, 0);
    cpu.in_user = 0;
    if (frame.from_user) return resume_in_trap_from_user(frame, context);
    cpu.in_trap = true;
    kernel_trap(frame);
    cpu.in_trap = false;
    cpu.interrupts_on = interrupts_on;
    context.uc_mcontext.gregs[REG_RIP] = greg_t(frame.rip);
}

std::string_view exception_name(std::uint64_t vector) {
    switch (vector) {
        case 0:
            return "#DE divide error";
        case 1:
            return "#DB debug";
        case 3:
            return "#BP breakpoint";
        case 5:
            return "#BR bound range";
        case 6:
            return "#UD invalid opcode";
        case 13:
            return "#GP general protection";
        case 14:
            return "#PF page fault";
        case 16:
            return "#MF x87 floating point";
        case 17:
            return "#AC alignment check";
        case 19:
            return "#XM SIMD floating point";
        default:
            return "exception";
    }
}

TrapKind kind_of(std::uint64_t vector) {
    switch (vector) {
        case 1:
            return TrapKind::debug;
        case 3:
            return TrapKind::breakpoint;
        case 14:
            return TrapKind::page_fault;
        default:
            return TrapKind::fault;
    }
}

Access attempted(std::uint64_t error_code) {  // APM2 8.4.2: bit 1 write, bit 4 instruction fetch
    if (error_code & 16) return Access::execute;
    return error_code & 2 ? Access::write : Access::read;
}

}  // namespace

namespace host {

namespace {
void give_signal_stack() {
    SignalStack& own = signal_stacks[own_slot()];
    if (own.memory) return;
    void* memory = mmap(nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fatal("no memory for the signal stack");
    own.memory = memory;
    const stack_t stack{memory, 0, signal_stack_bytes};
    sigaltstack(&stack, &own.old);
}
}  // namespace

void install_trap_handlers() {
    give_signal_stack();
    if (cpu_index() != CpuIndex::boot || std::exchange(saved.installed, true)) return;
    struct sigaction action {};
    action.sa_sigaction = &on_signal;
    // Not deferred: a second fault in the handler is reported, not a silent death.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < std::size(trap_signals); ++i) sigaction(trap_signals[i], &action, &saved.old[i]);
}

void remove_signal_stack() {
    SignalStack& own = signal_stacks[own_slot()];
    if (!own.memory) return;
    sigaltstack(&own.old, nullptr);
    munmap(std::exchange(own.memory, nullptr), signal_stack_bytes);
}

void remove_trap_handlers() {
    remove_signal_stack();
    if (!std::exchange(saved.installed, false)) return;
    for (std::size_t i = 0; i < std::size(trap_signals); ++i) sigaction(trap_signals[i], &saved.old[i], nullptr);
}

}  // namespace host

TrapInfo trap_info(const TrapFrame& frame) {
    const bool page_fault = frame.vector == 14;
    return {kind_of(frame.vector),
            exception_name(frame.vector),
            frame.from_user,
            frame.error_code,
            frame.rip,
            frame.rbp,
            frame.rsp,
            VirtAddr(page_fault ? frame.cr2 : 0),
            page_fault ? attempted(frame.error_code) : Access::none};
}

void describe(const TrapFrame& frame, TextSink& sink) {
    const struct {
        const char* name;
        std::uint64_t value;
    } lines[] = {{"rip", frame.rip}, {"rsp", frame.rsp}, {"rbp", frame.rbp},        {"efl", frame.rflags},
                 {"rax", frame.rax}, {"rbx", frame.rbx}, {"rcx", frame.rcx},        {"rdx", frame.rdx},
                 {"rsi", frame.rsi}, {"rdi", frame.rdi}, {"r8 ", frame.r8},         {"r9 ", frame.r9},
                 {"r10", frame.r10}, {"r11", frame.r11}, {"r12", frame.r12},        {"r13", frame.r13},
                 {"r14", frame.r14}, {"r15", frame.r15}, {"err", frame.error_code}, {"cr2", frame.cr2}};
    int column = 0;
    for (const auto& line : lines) {
        char text[48];
        const bool last = ++column % 4 == 0;
        const int bytes = snprintf(text, sizeof text, "%s %016" PRIx64 "%s", line.name, line.value, last ? "\n" : "  ");
        sink.write(sink.self, {text, std::size_t(bytes)});
    }
}

bool trap_fixup(TrapFrame& frame) {
    if (frame.rip != reinterpret_cast<std::uint64_t>(exo_host_copy_fault)) return false;
    frame.rip = reinterpret_cast<std::uint64_t>(exo_host_copy_fixup);
    return true;
}

// A frame above this one, on a stack we know; stacks grow down, so a chain only goes up.
[[gnu::no_sanitize("address", "thread")]] bool FramePointerWalk::next(std::uintptr_t& frame_pointer,
                                                                      std::uintptr_t& return_address) {
    const auto inside = [&](std::uintptr_t bottom, std::uintptr_t top) {
        return frame_pointer >= bottom && frame_pointer < top && top - frame_pointer >= 16;
    };
    const auto arena = reinterpret_cast<std::uintptr_t>(host::arena.base);
    const host::StackBounds own = host::thread_stack(), run = host::run_stack();
    const bool known =
        inside(own.bottom, own.top) || inside(run.bottom, run.top) || inside(arena, arena + host::arena.bytes);
    if (!known || frame_pointer % 8 != 0) return false;
    const auto* words = reinterpret_cast<const std::uintptr_t*>(frame_pointer);
    const std::uintptr_t above = words[0];
    if (words[1] == 0 || (above != 0 && above <= frame_pointer)) return false;
    return_address = words[1];
    frame_pointer = above;
    return true;
}

}  // namespace hal
