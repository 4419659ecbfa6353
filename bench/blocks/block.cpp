// SPDX-License-Identifier: MIT
#include "block.hpp"

#include <cpuid.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <limits>

#include "../harness/clock.hpp"
#include "layout.h"

namespace bench {
namespace {

struct Control {
    std::uint64_t stack, start, end;
    const void* body;
    std::uint64_t flags;
    std::uint32_t mxcsr;
    std::uint8_t has_avx512, has_avx;
    std::uint64_t unused[2];
    std::uint64_t registers[16];
    std::uint64_t vector[8];
};
static_assert(offsetof(Control, start) == CONTROL_START && offsetof(Control, end) == CONTROL_END);
static_assert(offsetof(Control, body) == CONTROL_BODY && offsetof(Control, mxcsr) == CONTROL_MXCSR);
static_assert(offsetof(Control, has_avx512) == CONTROL_HAS_AVX512 && offsetof(Control, has_avx) == CONTROL_HAS_AVX);
static_assert(offsetof(Control, registers) == CONTROL_REGISTERS && offsetof(Control, vector) == CONTROL_VECTOR);

}  // namespace
}  // namespace bench

extern "C" {
alignas(64) bench::Control exo_block_control;
void exo_block_enter();
void exo_block_leave();
}

namespace bench {
namespace {

constexpr std::uint64_t page_bytes = 4096, top = std::uint64_t{1} << 47;
constexpr unsigned physical_pages = 16, most_pages = 4096;
// The code lies where nothing else is, so that seccomp knows a system call of the block by its address.
constexpr std::uint64_t code_base = 0x5e00'0000'0000, code_bytes = std::uint64_t{1} << 20;
// What registers hold at first, and what memory holds: an address, and a number that is 0 as a floating-point one.
constexpr std::uint64_t register_step = 0x100000, memory_word = 0x40000;
constexpr std::uint64_t ones = 0x3f80'0000'3f80'0000;  // 1.0f twice; as a double 0.0078
constexpr std::uint32_t ftz_daz = 0x9fc0;              // and every exception masked

enum class State : std::uint32_t { running, done, signalled, unmappable, too_many_pages, no_memory };

// Written by the child, read by its parent.
struct Report {
    State state;
    std::int32_t signal;
    std::uint64_t address;
    std::uint32_t pages;
    double cycles;
};

Report* report;  // shared
int memory_file;
std::uint64_t* physical;  // the same pages, for filling

[[noreturn]] void give_up(State state, int signal, std::uint64_t address) {
    report->signal = signal;
    report->address = address;
    report->state = state;
    _exit(0);
}

// Maps what the block touches; anything else ends the child.
void on_fault(int number, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<std::uint64_t>(info->si_addr);
    if (number != SIGSEGV) give_up(State::signalled, number, address);
    const std::uint64_t page = address & ~(page_bytes - 1);
    // SI_KERNEL: a general protection, of an address that is not canonical or a misaligned vector.
    if (info->si_code == SI_KERNEL) give_up(State::signalled, number, 0);
    if (info->si_code != SEGV_MAPERR || page >= top) give_up(State::unmappable, number, address);
    if (report->pages == most_pages) give_up(State::too_many_pages, number, address);
    const off_t behind = static_cast<off_t>(report->pages % physical_pages * page_bytes);
    void* const mapped = mmap(reinterpret_cast<void*>(page), page_bytes, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_FIXED_NOREPLACE, memory_file, behind);
    if (mapped == MAP_FAILED) give_up(State::unmappable, number, address);
    ++report->pages;
}

void catch_faults() {
    constexpr std::size_t stack_bytes = 256 * 1024;  // a frame holds all vector registers
    void* const memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) give_up(State::no_memory, 0, 0);
    const stack_t stack{.ss_sp = memory, .ss_flags = 0, .ss_size = stack_bytes};
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_sigaction = &on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP}) sigaction(number, &action, nullptr);
}

// A system call from the block's addresses kills the process. Where there is no seccomp, only what asked for the
// measurement has looked at the code.
void forbid_system_calls() {
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, code_base >> 32, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{.len = std::size(program), .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

void limit_time(unsigned seconds) {
    const itimerval processor{.it_interval = {}, .it_value = {.tv_sec = time_t(seconds), .tv_usec = 0}};
    const itimerval wall{.it_interval = {}, .it_value = {.tv_sec = time_t(seconds) * 15, .tv_usec = 0}};
    for (const int number : {SIGPROF, SIGALRM}) signal(number, SIG_DFL);
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGPROF);
    sigaddset(&both, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &both, nullptr);
    setitimer(ITIMER_PROF, &processor, nullptr);
    setitimer(ITIMER_REAL, &wall, nullptr);
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

bool has_state(std::uint32_t bits) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return false;
    std::uint32_t low, high;
    asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & bits) == bits;
}

void set_up_control() {
    constexpr std::uint32_t avx_state = 0x06, avx512_state = 0xe6;
    Control& control = exo_block_control;
    control.mxcsr = ftz_daz;
    control.has_avx = has_state(avx_state);
    control.has_avx512 = has_state(avx512_state);
    for (unsigned i = 0; i < 16; ++i) control.registers[i] = register_step * (i + 1);
    std::fill(std::begin(control.vector), std::end(control.vector), ones);
}

// `count` copies of the block and the jump out. Null if they do not fit.
const std::uint8_t* unroll(std::span<const std::uint8_t> code, unsigned count, std::uint64_t offset) {
    auto* const begin = reinterpret_cast<std::uint8_t*>(code_base + offset);
    std::uint8_t* at = begin;
    for (unsigned i = 0; i < count; ++i) at = std::copy(code.begin(), code.end(), at);
    const std::uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};  // jmp [rip]
    at = std::copy(std::begin(jump), std::end(jump), at);
    const auto leave = reinterpret_cast<std::uint64_t>(&exo_block_leave);
    std::memcpy(at, &leave, sizeof leave);
    return begin;
}

std::uint64_t run_once(const std::uint8_t* body) {
    for (std::size_t i = 0; i < physical_pages * page_bytes / sizeof *physical; ++i) physical[i] = memory_word;
    exo_block_control.body = body;
    exo_block_enter();  // brings code and data into the caches, and has its pages mapped
    for (std::size_t i = 0; i < physical_pages * page_bytes / sizeof *physical; ++i) physical[i] = memory_word;
    exo_block_enter();
    return exo_block_control.end - exo_block_control.start;
}

struct Counts {
    unsigned few, many;
};
// Enough that the slope is hundreds of cycles, and little enough that the code stays in the L1.
Counts repetitions(std::size_t bytes, unsigned instructions) {
    constexpr unsigned code_limit = 24 * 1024, wanted_instructions = 3000;
    const unsigned fitting = std::max<unsigned>(2, static_cast<unsigned>(code_limit / bytes));
    const unsigned many = std::clamp(wanted_instructions / std::max(1u, instructions), 12u, 3000u);
    return {std::max(1u, std::min(many, fitting) / 3), std::min(many, fitting)};
}

double measure(std::span<const std::uint8_t> code, unsigned instructions) {
    const Counts counts = repetitions(code.size(), instructions);
    const std::uint8_t* const few = unroll(code, counts.few, 0);
    const std::uint8_t* const many = unroll(code, counts.many, code_bytes / 2);
    if (mprotect(reinterpret_cast<void*>(code_base), code_bytes, PROT_READ | PROT_EXEC) != 0)
        give_up(State::no_memory, 0, 0);
    forbid_system_calls();
    run_once(many);  // maps all pages
    constexpr unsigned samples = 24;
    double best_few = std::numeric_limits<double>::max(), best_many = best_few;
    const double before = core_per_tick();
    for (unsigned i = 0; i < samples; ++i) {
        best_few = std::min(best_few, static_cast<double>(run_once(few)));
        best_many = std::min(best_many, static_cast<double>(run_once(many)));
    }
    const double per_tick = std::min(before, core_per_tick());
    return (best_many - best_few) * per_tick / (counts.many - counts.few);
}

[[noreturn]] void child(std::span<const std::uint8_t> code, unsigned instructions, unsigned limit_s, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    limit_time(limit_s);
    // A page before and behind stays unmapped: whoever runs off the end faults.
    void* const place = mmap(reinterpret_cast<void*>(code_base), code_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (place != reinterpret_cast<void*>(code_base)) give_up(State::no_memory, 0, 0);
    catch_faults();
    set_up_control();
    report->cycles = measure(code, instructions);
    report->state = State::done;
    _exit(0);
}

// Memory that children share with us; made once.
bool prepare() {
    static const bool ready = [] {
        memory_file = memfd_create("exo-block", MFD_CLOEXEC);
        if (memory_file < 0 || ftruncate(memory_file, physical_pages * page_bytes) != 0) return false;
        void* const pages =
            mmap(nullptr, physical_pages * page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_file, 0);
        void* const shared = mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED || shared == MAP_FAILED) return false;
        physical = static_cast<std::uint64_t*>(pages);
        report = static_cast<Report*>(shared);
        return true;
    }();
    return ready;
}

std::string in_hex(std::uint64_t value) {
    char text[32];
    snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string failure_of(const Report& got, int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        if (number == SIGPROF || number == SIGALRM) return "did not end in time";
        if (number == SIGSYS) return "makes a system call";
        return std::string("killed by signal ") + strsignal(number);
    }
    switch (got.state) {
        case State::done:
            return "";
        case State::running:
            return "ended the process that ran it";
        case State::unmappable:
            return "touches address " + in_hex(got.address) + ", which cannot be mapped";
        case State::too_many_pages:
            return "touches more than 4096 pages";
        case State::no_memory:
            return "no memory to measure it in";
        case State::signalled:
            break;
    }
    switch (got.signal) {
        case SIGSEGV:
            return "a general protection fault: an address that is not canonical, or misaligned data";
        case SIGILL:
            return "an instruction that this CPU does not have";
        case SIGFPE:
            return "an arithmetic exception (division by zero or overflow)";
        default:
            return std::string("signal ") + strsignal(got.signal);
    }
}

}  // namespace

BlockTime measure_block(std::span<const std::uint8_t> code, unsigned instructions, unsigned limit_s) {
    BlockTime time;
    if (code.empty() || code.size() > 4096) {
        time.failure = "no block of 1 to 4096 bytes";
        return time;
    }
    if (!prepare()) {
        time.failure = "no memory to measure it in";
        return time;
    }
    *report = {};
    const pid_t parent = getpid(), pid = fork();
    if (pid == 0) child(code, instructions, limit_s, parent);
    if (pid < 0) {
        time.failure = std::string("no process to measure it in: ") + strerror(errno);
        return time;
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    const Report got = *report;
    time.failure = failure_of(got, status);
    time.pages = got.pages;
    if (!time.failure.empty()) return time;
    time.cycles = got.cycles;
    if (!(time.cycles > -1 && time.cycles < 1e9)) time.failure = "took no time that makes sense";
    return time;
}

}  // namespace bench
