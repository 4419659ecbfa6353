// SPDX-License-Identifier: GPL-2.0-or-later
// The leader's side of lockstep, inside QEMU 7.2: the CPU's state at the start of each translation block. QEMU is run
// with one instruction a block, so that is the state before each instruction.
//
// QEMU's plugin interface has no registers. But at the start of a block all of them are in memory, the program exports
// the functions of its gdb stub, and those say by value where each register is. The place of the state is found so at
// the first block (values planted through the stub, looked for in the CPU object) and checked; a QEMU that keeps it
// otherwise is refused by a message, never misread.
#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sim/lockstep/wire.hpp>
#include <sim/qemu/plugin/qemu_api.hpp>

extern "C" {
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*, int, char**);
}

namespace {

using namespace sim::lockstep;
using State = sim::ArchitecturalState;

// Tests ask for another one, which no QEMU has.
#ifndef EXO_REGISTER_READER
#define EXO_REGISTER_READER "x86_cpu_gdb_read_register"
#endif

// What QEMU and its GLib export to whoever asks; null: not there.
struct Exports {
    template <typename Symbol>
    static Symbol find(const char* name) {
        return reinterpret_cast<Symbol>(dlsym(RTLD_DEFAULT, name));
    }
    qemu_get_cpu_t cpu = find<qemu_get_cpu_t>("qemu_get_cpu");
    x86_cpu_gdb_read_register_t read = find<x86_cpu_gdb_read_register_t>(EXO_REGISTER_READER);
    x86_cpu_gdb_write_register_t write = find<x86_cpu_gdb_write_register_t>("x86_cpu_gdb_write_register");
    cpu_cc_compute_all_t flags = find<cpu_cc_compute_all_t>("cpu_cc_compute_all");
    decltype(&g_byte_array_new) make_bytes = find<decltype(&g_byte_array_new)>("g_byte_array_new");
    decltype(&g_byte_array_set_size) resize = find<decltype(&g_byte_array_set_size)>("g_byte_array_set_size");
};

// The leading part of QEMU's CPUX86State; checked against the stub.
struct SegmentCache {
    std::uint32_t selector;
    std::uint64_t base;
    std::uint32_t limit, attributes;
};
struct Head {
    std::uint64_t general[16];
    std::uint64_t rip, rflags;
    std::uint64_t lazy[3];
    std::uint32_t lazy_operation;
    std::int32_t direction;
    std::uint32_t hidden_flags, hidden_flags2;
    SegmentCache segments[10];  // State::SegmentIndex
    std::uint64_t cr[5];
};
static_assert(sizeof(Head) == 464);

constexpr std::uint32_t code64 = 1u << 15;       // of hidden_flags: CS.L
constexpr std::size_t object_bytes = 128 << 10;  // of the CPU object to search

Exports qemu;
CPUState* cpu = nullptr;
GByteArray* bytes = nullptr;
const Head* head = nullptr;
const std::uint8_t* xmm[16];
const std::uint8_t* x87[8];

int pipe_fd = -1, answer_fd = -1;
std::uint64_t entry = 0;
bool wait_for_code64 = false;  // the follower cannot begin before that
enum class Phase { before_entry, recording, ended } phase = Phase::before_entry;

State previous{};
std::uint64_t buffer[1 << 13];
std::size_t buffered = 0;

[[noreturn]] void give_up() { _exit(125); }  // nobody reads any more

void send(const void* from, std::size_t count) {
    const char* at = static_cast<const char*>(from);
    while (count) {
        const ssize_t done = write(pipe_fd, at, count);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) give_up();
        at += done;
        count -= std::size_t(done);
    }
}

void flush() {
    if (buffered) send(buffer, buffered * 8);
    buffered = 0;
}

// One register as the stub tells it. Its length, 0 if there is none.
unsigned stub_read(int number, void* to, unsigned room) {
    qemu.resize(bytes, 0);
    qemu.read(cpu, bytes, number);
    const unsigned length = bytes->size < room ? bytes->size : room;
    std::memcpy(to, bytes->data, length);
    return length;
}

std::uint64_t stub_value(int number) {
    std::uint64_t value = 0;
    stub_read(number, &value, sizeof value);
    return value;
}

// Where in the CPU object a register of `length` bytes is: the only place that follows two planted values.
const std::uint8_t* find(int number, unsigned length) {
    std::uint8_t saved[16], pattern[2][16];
    if (stub_read(number, saved, length) != length) return nullptr;
    for (unsigned i = 0; i < 16; ++i) {
        // Outside of 64-bit mode the stub writes the lower halves of general registers only.
        pattern[0][i] = i >= 4 && length == 8 ? 0 : std::uint8_t(0x5b + 11 * i);
        pattern[1][i] = i >= 4 && length == 8 ? 0 : std::uint8_t(0xa7 ^ 29 * i);
    }
    const auto* object = reinterpret_cast<const std::uint8_t*>(cpu);
    static std::size_t candidates[64];
    std::size_t count = 0;
    qemu.write(cpu, pattern[0], number);
    for (std::size_t at = 0; at + length <= object_bytes; at += 8)
        if (std::memcmp(object + at, pattern[0], length) == 0 && count < 64) candidates[count++] = at;
    qemu.write(cpu, pattern[1], number);
    const std::uint8_t* found = nullptr;
    for (std::size_t i = 0; i < count; ++i)
        if (std::memcmp(object + candidates[i], pattern[1], length) == 0) found = object + candidates[i];
    qemu.write(cpu, saved, number);
    return found;
}

bool head_agrees() {
    const bool wide = head->hidden_flags & code64;
    const std::uint64_t mask = wide ? ~0ull : 0xffff'ffff;
    for (int i = 0; i < (wide ? 16 : 8); ++i) {
        // gdb's order: rax rbx rcx rdx rsi rdi rbp rsp
        static constexpr int order[16] = {0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15};
        if (stub_value(i) != (head->general[order[i]] & mask)) return false;
    }
    static constexpr State::SegmentIndex segments[6] = {State::cs, State::ss, State::ds,
                                                        State::es, State::fs, State::gs};
    for (int i = 0; i < 6; ++i)
        if (stub_value(gdb_cs + i) != head->segments[segments[i]].selector) return false;
    return stub_value(gdb_rip) == (head->rip & mask) && stub_value(gdb_cr0) == head->cr[0] &&
           stub_value(gdb_cr2) == head->cr[2] && stub_value(gdb_cr3) == head->cr[3] &&
           stub_value(gdb_cr4) == head->cr[4];
}

// Null: all is well; else what is missing.
const char* locate() {
    if (!qemu.cpu) return "qemu_get_cpu is not exported";
    if (!qemu.read || !qemu.write) return "x86_cpu_gdb_read_register is not exported";
    if (!qemu.flags) return "cpu_cc_compute_all is not exported";
    if (!qemu.make_bytes || !qemu.resize) return "GLib's byte arrays are not exported";
    cpu = qemu.cpu(0);
    bytes = qemu.make_bytes();
    if (!cpu) return "there is no CPU 0";
    head = reinterpret_cast<const Head*>(find(0, 8));
    if (!head || !head_agrees()) return "the registers are not where QEMU 7.2 has them";
    for (int i = 0; i < 16; ++i)
        if (!(xmm[i] = find(gdb_xmm0 + i, 16))) return "the vector registers were not found";
    for (int i = 0; i < 8; ++i)
        if (!(x87[i] = find(gdb_st0 + i, 10))) return "the x87 registers were not found";
    return nullptr;
}

// All of the flags. QEMU keeps the arithmetic ones and DF apart while it runs.
std::uint64_t flags() {
    constexpr std::uint64_t direction = 1u << 10, arithmetic = 0x8d5;
    void* state = const_cast<Head*>(head);
    return qemu.flags(state, int(head->lazy_operation)) | (std::uint64_t(head->direction) & direction) |
           (head->rflags & ~(direction | arithmetic));
}

void take(State& state) {
    std::memcpy(state.general, head->general, sizeof state.general);
    state.rip = head->rip;
    state.rflags = flags();
    std::memcpy(state.cr, head->cr, sizeof state.cr);
    state.efer = stub_value(gdb_efer);
    state.hidden_flags = head->hidden_flags;
    for (int i = 0; i < 10; ++i) {
        const SegmentCache& from = head->segments[i];
        state.segments[i] = {from.selector, from.limit, from.base, from.attributes};
    }
    for (int i = 0; i < 16; ++i) std::memcpy(state.xmm[i], xmm[i], 16);
    for (int i = 0; i < 8; ++i) std::memcpy(state.x87[i], x87[i], 10);
    state.mxcsr = stub_value(gdb_mxcsr);
    state.x87_control = stub_value(gdb_fctrl);
    state.x87_status = stub_value(gdb_fstat);
}

void record() {
    State now{};
    take(now);
    if (buffered + mask_words + state_words > sizeof buffer / 8) flush();
    const auto* words = reinterpret_cast<const std::uint64_t*>(&now);
    auto* old = reinterpret_cast<std::uint64_t*>(&previous);
    std::uint64_t* masks = buffer + buffered;
    buffered += mask_words;
    std::memset(masks, 0, mask_words * 8);
    for (std::size_t i = 0; i < state_words; ++i) {
        if (words[i] == old[i]) continue;
        masks[i / 64] |= std::uint64_t{1} << i % 64;
        buffer[buffered++] = old[i] = words[i];
    }
}

void begin(const char* why_not) {
    Hello hello;
    if (why_not) std::snprintf(hello.problem, sizeof hello.problem, "%s", why_not);
    send(&hello, sizeof hello);
    if (why_not) {
        phase = Phase::ended;
        return;
    }
    char answer;
    while (read(answer_fd, &answer, 1) < 0)
        if (errno != EINTR) give_up();
    phase = Phase::recording;
}

bool entered = false;
const char* problem = nullptr;

void on_execute(unsigned, void* address) {
    if (phase == Phase::before_entry) {
        if (!entered && reinterpret_cast<std::uint64_t>(address) != entry) return;
        if (!entered) problem = locate();
        entered = true;
        if (!problem && wait_for_code64 && !(head->hidden_flags & code64)) return;
        begin(problem);
    }
    if (phase == Phase::recording) record();
}

void on_translate(qemu_plugin_id_t, qemu_plugin_tb* block) {
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_execute, QEMU_PLUGIN_CB_RW_REGS,
                                         reinterpret_cast<void*>(qemu_plugin_tb_vaddr(block)));
}

}  // namespace

extern "C" int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv) {
    for (int i = 0; i < argc; ++i) {
        std::sscanf(argv[i], "pipe=%d", &pipe_fd);
        std::sscanf(argv[i], "answer=%d", &answer_fd);
        if (!std::strcmp(argv[i], "from=code64")) wait_for_code64 = true;
        unsigned long long value;
        if (std::sscanf(argv[i], "entry=%llx", &value) == 1) entry = value;
    }
    if (pipe_fd < 0 || answer_fd < 0 || !entry) return 1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_vcpu_idle_cb(id, [](qemu_plugin_id_t, unsigned) { flush(); });
    qemu_plugin_register_atexit_cb(
        id, [](qemu_plugin_id_t, void*) { flush(); }, nullptr);
    return 0;
}
