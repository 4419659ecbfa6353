// SPDX-License-Identifier: MIT
// Making and running a machine; console and power-off, which depend on who runs it.
#include "machine.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <hal/console.hpp>
#include <hal/irq.hpp>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "state.hpp"

namespace hal {
namespace {

std::byte* map_memory(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "memory for the host machine");
    return static_cast<std::byte*>(memory);
}

// The boot stack, outside the arena as on a PC, with its guard.
class RunStack {
  public:
    RunStack() : memory_(map_memory(page_bytes + kernel_stack_bytes)) { mprotect(memory_, page_bytes, PROT_NONE); }
    ~RunStack() {
        host::asan_forget_stack(usable());
        munmap(memory_, page_bytes + kernel_stack_bytes);
    }
    RunStack(const RunStack&) = delete;
    RunStack& operator=(const RunStack&) = delete;
    std::span<std::byte> usable() const { return {memory_ + page_bytes, kernel_stack_bytes}; }

  private:
    std::byte* memory_;
};
constinit const RunStack* run_stack_in_use = nullptr;

struct Start {
    void (*entry)(void*);
    void* argument;
};

void run_entry(void* raw) {
    const Start start = *static_cast<Start*>(raw);
    start.entry(start.argument);
    irq_disable();
    context_switch(host::active_run->guest, host::active_run->home);
    __builtin_unreachable();
}

}  // namespace

namespace host {
StackBounds run_stack() {
    if (!run_stack_in_use) return {0, 0};
    const auto bottom = reinterpret_cast<std::uintptr_t>(run_stack_in_use->usable().data());
    return {bottom, bottom + kernel_stack_bytes};
}

void fatal(const char* message) {
    fprintf(stderr, "exo-host: %s\n", message);
    power_off(PowerOff::failure);
}
}  // namespace host

HostMachine::HostMachine(HostConfig config) : config_(std::move(config)) {
    if (host::arena.base) throw std::logic_error("a HostMachine exists already");
    const std::size_t bytes = (config_.memory_bytes + page_bytes - 1) / page_bytes * page_bytes;
    std::byte* base = map_memory(bytes);
    host::arena = {base, bytes, reinterpret_cast<std::uint64_t>(base) - host::arena_physical};
    memory_ = {PhysAddr(host::arena_physical), bytes};
    host::attach_cpu(CpuIndex::boot);
    host::reset_cpu();
    host::reset_page_tables();
    host::reset_clock();
    host::console_capture = config_.capture_console ? &console_ : nullptr;
    host::entropy_seed = config_.seed ? &*config_.seed : nullptr;
    boot_info_ = {BootPath::host, {&memory_, 1}, config_.command_line, PhysAddr(0), cycles()};
}

HostMachine::~HostMachine() {
    host::remove_trap_handlers();
    host::console_capture = nullptr;
    host::entropy_seed = nullptr;
    host::reset_cpu();
    host::reset_page_tables();
    host::reset_stacks();
    munmap(host::arena.base, host::arena.bytes);
    host::arena = {};
}

std::optional<PowerOff> HostMachine::run(void (*entry)(void*), void* argument) {
    RunStack stack;
    Start start{entry, argument};
    host::Run run;
    run.guest = context_make(stack.usable(), &run_entry, &start);
    host::Run* const outer = std::exchange(host::active_run, &run);
    const RunStack* const outer_stack = std::exchange(run_stack_in_use, &stack);
    irq_disable();
    context_switch(run.home, run.guest);
    host::active_run = outer;
    run_stack_in_use = outer_stack;
    context_release(run.guest);
    return run.end;
}

void HostMachine::raise(Interrupt kind, unsigned vector) {
    host::HostCpu& cpu = host::this_cpu();
    cpu.pending |= 1u << unsigned(kind);
    if (kind != Interrupt::timer) cpu.vector = vector;
}

void console_init() {}

void console_write(std::string_view text) {
    if (host::console_capture) {
        host::console_capture->append(text);
        return;
    }
    while (!text.empty()) {
        const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;  // nobody reads any more: the kernel goes on
        text.remove_prefix(std::size_t(written));
    }
}

void power_off(PowerOff how) {
    irq_disable();
    if (host::in_trap) _exit(how == PowerOff::success ? 0 : 3);
    if (!host::active_run) std::exit(how == PowerOff::success ? 0 : 3);
    host::active_run->end = how;
    Context abandoned;
    context_switch(abandoned, host::active_run->home);
    __builtin_unreachable();
}

}  // namespace hal
