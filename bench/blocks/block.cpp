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
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

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
// Behind the code and an unmapped page: how often the loop still goes round.
constexpr std::uint64_t counter_base = code_base + code_bytes + page_bytes;
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
    double cycles, loop_cycles, width;
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

std::uint64_t& rounds_left() { return *reinterpret_cast<std::uint64_t*>(counter_base); }

std::int32_t distance(const std::uint8_t* from, std::uint64_t to) {
    return static_cast<std::int32_t>(static_cast<std::int64_t>(to - reinterpret_cast<std::uint64_t>(from)));
}

// `count` copies of the block, a round of the loop, and the jump out. The loop's counter lies in memory, because the
// block may use every register; it takes two instructions a round.
const std::uint8_t* unroll(std::span<const std::uint8_t> code, unsigned count, std::uint64_t offset, bool loop) {
    auto* const begin = reinterpret_cast<std::uint8_t*>(code_base + offset);
    std::uint8_t* at = begin;
    for (unsigned i = 0; i < count; ++i) at = std::copy(code.begin(), code.end(), at);
    if (loop) {
        std::uint8_t round[] = {0x48, 0xff, 0x0d, 0, 0, 0, 0,  // dec qword ptr [rip + counter]
                                0x0f, 0x85, 0,    0, 0, 0};    // jnz begin
        const std::int32_t counter = distance(at + 7, counter_base);
        const std::int32_t back = distance(at + sizeof round, reinterpret_cast<std::uint64_t>(begin));
        std::memcpy(round + 3, &counter, sizeof counter);
        std::memcpy(round + 9, &back, sizeof back);
        at = std::copy(std::begin(round), std::end(round), at);
    }
    const std::uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};  // jmp [rip]
    at = std::copy(std::begin(jump), std::end(jump), at);
    const auto leave = reinterpret_cast<std::uint64_t>(&exo_block_leave);
    std::memcpy(at, &leave, sizeof leave);
    return begin;
}

void fill_memory() { std::fill_n(physical, physical_pages * page_bytes / sizeof *physical, memory_word); }

double run_once(const std::uint8_t* body, unsigned rounds) {
    for (unsigned twice = 0; twice < 2;
         ++twice) {  // the first brings code and data into the caches, and maps its pages
        fill_memory();
        rounds_left() = rounds;
        exo_block_control.body = body;
        exo_block_enter();
    }
    return static_cast<double>(exo_block_control.end - exo_block_control.start);
}

// The average of what is not disturbed: time stamps can be as coarse as 26 ticks, so that a least value would be too
// low, and an interrupt takes thousands.
class Average {
  public:
    void add(double ticks) { times_[count_++ % times_.size()] = ticks; }
    double ticks() const {
        const auto end = times_.begin() + static_cast<std::ptrdiff_t>(std::min(count_, times_.size()));
        const double least = *std::min_element(times_.begin(), end), most = least + std::max(64.0, least * 0.02);
        double sum = 0;
        unsigned taken = 0;
        for (auto one = times_.begin(); one != end; ++one)
            if (*one <= most) sum += *one, ++taken;
        return sum / taken;
    }

  private:
    std::array<double, 32> times_{};
    std::size_t count_ = 0;
};

struct Body {
    const std::uint8_t* code;
    unsigned copies, rounds;
    Average ticks = {};
    double count() const { return double(copies) * rounds; }
};

constexpr double probe_nops = 40'000;

// Ticks of so many nops in a loop: what the front end is worth to this thread.
double nop_ticks() {
    std::uint64_t left = static_cast<std::uint64_t>(probe_nops) / 400;
    const std::uint64_t start = ticks();
    asm volatile("1:\n\t.rept 400\n\tnop\n\t.endr\n\tdecq %0\n\tjnz 1b" : "+r"(left) : : "cc");
    return static_cast<double>(ticks() - start);
}

struct Slope {
    double cycles, width;
};

// Cycles an iteration, from the slope between two bodies. Their samples take turns with each other, with the chain of
// additions that says how fast the core is, and with the nops that say whether it is ours.
Slope slope(Body few, Body many, double width) {
    constexpr unsigned wanted = 24, enough = 12, most = 150;
    Average chain, nops;
    unsigned good = 0;
    for (unsigned tried = 0; good < wanted && tried < most; ++tried) {
        const double per_tick = core_per_tick(), nops_before = nop_ticks();
        const double few_ticks = run_once(few.code, few.rounds), many_ticks = run_once(many.code, many.rounds);
        const double nops_after = nop_ticks(), slowest = std::max(nops_before, nops_after);
        if (probe_nops / slowest < width * per_tick && tried - good < most - enough) continue;
        ++good;
        chain.add(1e4 / per_tick);
        few.ticks.add(few_ticks);
        many.ticks.add(many_ticks);
        nops.add(slowest);
    }
    const double core_ticks = chain.ticks() / 1e4;
    return {(many.ticks.ticks() - few.ticks.ticks()) / (many.count() - few.count()) / core_ticks,
            probe_nops / (nops.ticks() / core_ticks)};
}

void measure(std::span<const std::uint8_t> code, unsigned instructions, double width) {
    // Enough copies that the slope is hundreds of cycles, and so few that the code stays in the L1. A round of the loop
    // is long enough that its counter does not show, and fits what keeps decoded instructions.
    constexpr unsigned code_limit = 24 * 1024, wanted_instructions = 3000, loop_limit = 8 * 1024,
                       loop_instructions = 400;
    const auto fitting = [&](unsigned limit, unsigned wanted) {
        const unsigned fits = std::max<unsigned>(2, static_cast<unsigned>(limit / code.size()));
        return std::min(std::clamp(wanted / std::max(1u, instructions), 2u, 3000u), fits);
    };
    const unsigned many = std::max(fitting(code_limit, wanted_instructions), 2u), few = std::max(1u, many / 3);
    const unsigned copies = fitting(loop_limit, loop_instructions);
    const std::uint8_t* const body_few = unroll(code, few, 0, false);
    const std::uint8_t* const body_many = unroll(code, many, code_bytes / 4, false);
    const std::uint8_t* const body_loop = unroll(code, copies, code_bytes / 2, true);
    if (mprotect(reinterpret_cast<void*>(code_base), code_bytes, PROT_READ | PROT_EXEC) != 0)
        give_up(State::no_memory, 0, 0);
    forbid_system_calls();
    const double once = run_once(body_many, 1) / many * copies;  // about, of a round; maps all pages
    const Slope unrolled = slope({body_few, few, 1}, {body_many, many, 1}, width);
    constexpr double wanted_ticks = 6000;
    const auto rounds = static_cast<unsigned>(std::clamp(wanted_ticks / std::max(once, 1.0), 4.0, 400.0));
    const Slope loop = slope({body_loop, copies, rounds / 4}, {body_loop, copies, rounds}, width);
    report->cycles = unrolled.cycles;
    report->loop_cycles = loop.cycles;
    report->width = std::min(unrolled.width, loop.width);
}

[[noreturn]] void child(std::span<const std::uint8_t> code, unsigned instructions, unsigned limit_s, double width,
                        pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    limit_time(limit_s);
    // A page before and behind stays unmapped: whoever runs off the end faults.
    void* const place = mmap(reinterpret_cast<void*>(code_base), code_bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (place != reinterpret_cast<void*>(code_base)) give_up(State::no_memory, 0, 0);
    void* const counter = mmap(reinterpret_cast<void*>(counter_base), page_bytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (counter != reinterpret_cast<void*>(counter_base)) give_up(State::no_memory, 0, 0);
    catch_faults();
    set_up_control();
    measure(code, instructions, width);
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

double core_width() {
    const double per_tick = core_per_tick();
    return probe_nops / (nop_ticks() * per_tick);
}

BlockTime measure_block(std::span<const std::uint8_t> code, unsigned instructions, unsigned limit_s, double width) {
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
    if (pid == 0) child(code, instructions, limit_s, width, parent);
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
    time.loop_cycles = got.loop_cycles;
    time.width = got.width;
    for (const double cycles : {time.cycles, time.loop_cycles})
        if (!(cycles > -1 && cycles < 1e9)) time.failure = "took no time that makes sense";
    return time;
}

}  // namespace bench
