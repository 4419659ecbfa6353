// SPDX-License-Identifier: MIT
// Making and running a machine; console and power-off, which depend on who runs it.
#include "machine.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
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

// One CPU's way out of the machine: where power_off returns to, on the Linux thread's own stack.
struct Run {
    Context home;
    Context guest;
    const host::RunStack* stack = nullptr;
};
constinit Run* runs[cpus_limit] = {};  // by CPU; null: it does not run

Run*& active_run() { return runs[std::size_t(cpu_index())]; }

struct Start {
    void (*entry)(void*);
    void* argument;
};

void run_entry(void* raw) {
    const Start start = *static_cast<Start*>(raw);
    start.entry(start.argument);
    host::leave_machine();
}

constinit std::atomic<int> machine_end = -1;  // a PowerOff, by whoever was first

// cpus=N on the command line; 0 if it is not there or no number.
unsigned cpus_option(std::string_view line) {
    constexpr std::string_view key = "cpus=";
    while (!line.empty()) {
        const std::size_t blank = line.find(' ');
        const std::string_view word = line.substr(0, blank);
        line = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
        if (!word.starts_with(key)) continue;
        unsigned value = 0;
        const char* end = word.data() + word.size();
        const auto [stop, error] = std::from_chars(word.data() + key.size(), end, value);
        return error == std::errc{} && stop == end ? value : 0;
    }
    return 0;
}

unsigned cpus_of(const HostConfig& config) {
    const unsigned machine = std::clamp(config.cpus, 1u, cpus_limit), asked = cpus_option(config.command_line);
    return asked == 0 ? machine : std::min(asked, machine);
}

}  // namespace

namespace host {
RunStack::RunStack() : memory_(map_memory(page_bytes + kernel_stack_bytes)) {
    mprotect(memory_, page_bytes, PROT_NONE);
}
RunStack::~RunStack() {
    asan_forget_stack(usable());
    munmap(memory_, page_bytes + kernel_stack_bytes);
}
std::span<std::byte> RunStack::usable() const { return {memory_ + page_bytes, kernel_stack_bytes}; }

StackBounds run_stack() {
    const Run* run = active_run();
    if (run == nullptr) return {0, 0};
    const auto bottom = reinterpret_cast<std::uintptr_t>(run->stack->usable().data());
    return {bottom, bottom + kernel_stack_bytes};
}

void run_guest(const RunStack& stack, void (*entry)(void*), void* argument) {
    Start start{entry, argument};
    Run run;
    run.guest = context_make(stack.usable(), &run_entry, &start);
    run.stack = &stack;
    Run* const outer = std::exchange(active_run(), &run);
    irq_disable();
    context_switch(run.home, run.guest);
    active_run() = outer;
    context_release(run.guest);
}

void leave_machine() {
    irq_disable();
    Context abandoned;
    context_switch(abandoned, active_run()->home);
    __builtin_unreachable();
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
    host::reset_cpu(host::this_cpu());
    host::reset_page_tables();
    host::reset_clock();
    host::console_capture = config_.capture_console ? &console_ : nullptr;
    if (config_.seed) entropy_state_ = *config_.seed;
    host::entropy_seed = config_.seed ? &entropy_state_ : nullptr;
    host::set_cpu_count(cpus_of(config_));
    boot_info_ = {BootPath::host, {&memory_, 1}, config_.command_line, PhysAddr(0), cycles()};
}

HostMachine::~HostMachine() {
    host::remove_trap_handlers();
    host::console_capture = nullptr;
    host::entropy_seed = nullptr;
    host::reset_cpu(host::this_cpu());
    host::reset_page_tables();
    host::reset_stacks();
    munmap(host::arena.base, host::arena.bytes);
    host::arena = {};
}

std::optional<PowerOff> HostMachine::run(void (*entry)(void*), void* argument) {
    const host::RunStack stack;
    const int outer = machine_end.exchange(-1);
    host::run_guest(stack, entry, argument);
    host::end_others();
    host::join_others();
    host::this_cpu().pending.fetch_and(~host::pending_end, std::memory_order_relaxed);
    const int end = machine_end.exchange(outer);
    return end < 0 ? std::nullopt : std::optional(PowerOff(end));
}

void HostMachine::raise(Interrupt kind, unsigned vector) {
    host::HostCpu& cpu = host::this_cpu();
    cpu.pending.fetch_or(1u << unsigned(kind), std::memory_order_relaxed);
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

int console_read() {
    if (host::console_capture) return -1;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    unsigned char c;
    if (poll(&input, 1, 0) != 1 || read(STDIN_FILENO, &c, 1) != 1) return -1;
    return c;
}

// The first to end the machine says how. Each CPU leaves on its own Linux thread; the boot CPU's run() waits for all.
void power_off(PowerOff how) {
    irq_disable();
    if (host::this_cpu().in_trap) _exit(how == PowerOff::success ? 0 : 3);
    if (!active_run()) std::exit(how == PowerOff::success ? 0 : 3);
    int none = -1;
    machine_end.compare_exchange_strong(none, int(how));
    host::end_others();
    host::leave_machine();
}

void reboot() { power_off(PowerOff::success); }

}  // namespace hal
