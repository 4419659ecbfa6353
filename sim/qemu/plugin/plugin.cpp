// SPDX-License-Identifier: GPL-2.0-or-later
// The QEMU plugin: tells exo-dev which blocks were executed, how far, and which memory they touched, from the kernel's
// first instruction on (sim/qemu/stream.hpp).
//
// Cost decides the shape: an instruction costs one addition in the translated code, a block one callback, an access one
// callback. The sum of the additions says how far a block came: QEMU's plugin interface does not tell when an exception
// cuts a block short. It does not tell of exceptions and interrupts either, so the handlers in the guest's IDT are
// known by their addresses, and what the CPU has pushed is read when one of them begins.
//
// All callbacks come from one thread: exo-dev starts QEMU with -icount, under which it runs its CPUs in turns.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.hpp"
#include "instruction_kind.hpp"
#include "qemu_api.hpp"

extern "C" {
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
}

namespace exo_plugin {
namespace {

using namespace sim::qemu::stream;

constexpr uint64_t page_bytes = 4096;
constexpr unsigned gates = 256, gate_bytes = 16;

struct Qemu {
    qemu_get_cpu_t get_cpu;
    cpu_memory_rw_debug_t memory;
    cpu_get_phys_page_debug_t physical_page;
    x86_cpu_gdb_read_register_t read_register;
    qemu_ram_addr_from_host_t ram_address;
    CPUState** current_cpu;  // a thread's own: looked up in the thread that runs the CPUs
};

// The translation of a virtual page that the reader knows too.
struct Page {
    uint64_t tag;  // page address | generation
    bool io;
};

struct DescriptorTable {
    uint64_t base;
    uint32_t limit;
};

Qemu qemu;
Channel channel;
GByteArray* register_bytes;
uint64_t entry;           // the kernel's first instruction
bool begun;               // it has been executed
uint64_t started;         // instructions, counted by translated code
uint64_t started_before;  // when the block at hand began
uint64_t generation = 1;  // of page translations; below page_bytes
uint32_t blocks;          // translated so far
Page pages[cpus_most][page_slots];
DescriptorTable idt[cpus_most];
unsigned running_cpu;
uint64_t handlers[gates];  // by vector; 0: none

void put_other(Kind kind, uint32_t words, uint64_t value, const uint64_t* rest) {
    uint64_t* to = channel.reserve(words + 1);
    to[0] = uint64_t(kind) | uint64_t(words) << other_words_shift | value << other_value_shift;
    for (uint32_t i = 0; i < words; ++i) to[i + 1] = rest[i];
    channel.commit(words + 1);
}

[[noreturn]] void fail(const char* why) {
    fprintf(stderr, "exo-qemu-plugin: %s\n", why);
    exit(1);
}

uint64_t read_register(unsigned cpu, int number) {
    g_byte_array_set_size(register_bytes, 0);
    uint64_t value = 0;
    const int bytes = qemu.read_register(qemu.get_cpu(int(cpu)), register_bytes, number);
    if (bytes > 0 && bytes <= 8) memcpy(&value, register_bytes->data, size_t(bytes));
    return value;
}

// The CPU whose code is being translated or executed: a callback of a translation is not told.
unsigned current() {
    if (!qemu.current_cpu) qemu.current_cpu = static_cast<CPUState**>(dlsym(RTLD_DEFAULT, "current_cpu"));
    for (unsigned i = 0; i < cpus_most && qemu.current_cpu; ++i)
        if (qemu.get_cpu(int(i)) == *qemu.current_cpu) return i;
    return running_cpu;
}

CodeWidth code_width(unsigned cpu) {
    constexpr uint64_t long_mode_active = 1u << 10, protection = 1;
    if (read_register(cpu, gdb_efer) & long_mode_active) return CodeWidth::long_mode;
    return read_register(cpu, gdb_cr0) & protection ? CodeWidth::protected_mode : CodeWidth::real_mode;
}

// --- blocks ----------------------------------------------------------------------------------------------------------

uint64_t take_started() {
    const uint64_t now = started, count = now - started_before;
    started_before = now;
    return count;
}

void on_block(unsigned cpu, void* number) {
    running_cpu = cpu;
    channel.put(uint64_t(WordKind::block) << 62 | uint64_t(cpu) << block_cpu_shift |
                (take_started() & 0xffff) << block_started_shift | uint64_t(number));
}

void on_entry(unsigned cpu, void* number) {
    if (!begun && (read_register(cpu, gdb_cr0) & 0x8000'0001) != 1)
        fail("this QEMU has its registers in another order than QEMU 7.2");
    begun = true;
    on_block(cpu, number);
}

void on_handler(unsigned cpu, void* number) {
    const uint64_t vector = uint64_t(number) >> 32;
    uint64_t rest[frame_words + 1] = {};
    const uint64_t stack = read_register(cpu, gdb_rsp);
    qemu.memory(qemu.get_cpu(int(cpu)), stack, rest, frame_words * sizeof(uint64_t), false);
    rest[frame_words] = read_register(cpu, gdb_cr2);
    put_other(Kind::handler, frame_words + 1, vector | uint64_t(cpu) << 8, rest);
    on_block(cpu, reinterpret_cast<void*>(uint64_t(uint32_t(uint64_t(number)))));
}

// --- accesses --------------------------------------------------------------------------------------------------------

void forget_pages(unsigned, void*) {
    if (++generation < page_bytes) return;
    generation = 1;
    memset(pages, 0, sizeof pages);
}

void find_page(Page& page, unsigned cpu, qemu_plugin_meminfo_t about, uint64_t address) {
    const qemu_plugin_hwaddr* where = qemu_plugin_get_hwaddr(about, address);
    const uint64_t start = address & -page_bytes;
    page = {start | generation, where && qemu_plugin_hwaddr_is_io(where)};
    const uint64_t rest[] = {start, qemu.physical_page(qemu.get_cpu(int(cpu)), start)};
    put_other(Kind::page, 2, cpu, rest);
}

Page& known_page(unsigned cpu, qemu_plugin_meminfo_t about, uint64_t address) {
    Page& page = pages[cpu][page_slot(address)];
    if (page.tag != ((address & -page_bytes) | generation)) [[unlikely]]
        find_page(page, cpu, about, address);
    return page;
}

__attribute__((noinline)) void put_wide(unsigned cpu, qemu_plugin_meminfo_t about, uint64_t address, uint64_t index) {
    for (uint64_t left = uint64_t{1} << qemu_plugin_mem_size_shift(about); left;) {
        const uint64_t in_page = page_bytes - address % page_bytes, bytes = left < in_page ? left : in_page;
        const uint64_t io = known_page(cpu, about, address).io, store = qemu_plugin_mem_is_store(about);
        put_other(Kind::wide_access, 1, index | bytes << 16 | store << 24 | io << 25, &address);
        address += bytes;
        left -= bytes;
    }
}

void on_access(unsigned cpu, qemu_plugin_meminfo_t about, uint64_t address, void*) {
    const uint64_t index = (started - started_before - 1) & access_index_mask;
    const unsigned shift = qemu_plugin_mem_size_shift(about);
    const bool canonical = uint64_t(int64_t(address << 16) >> 16) == address;
    if ((address % page_bytes) + (uint64_t{1} << shift) > page_bytes || !canonical) [[unlikely]]
        return put_wide(cpu, about, address, index);
    const uint64_t io = known_page(cpu, about, address).io;
    channel.put(uint64_t(WordKind::access) << 62 | io << access_io_bit |
                uint64_t(qemu_plugin_mem_is_store(about)) << access_store_bit | uint64_t(shift) << access_size_shift |
                index << access_index_shift | (address & 0xffff'ffff'ffff));
}

// --- the IDT ---------------------------------------------------------------------------------------------------------

// The handlers as they are now. Read again at each translation: a handler is translated after its gate was set.
void read_gates(unsigned cpu) {
    const DescriptorTable table = idt[cpu];
    uint8_t bytes[gates * gate_bytes];
    const uint32_t count = (table.limit + 1) / gate_bytes < gates ? (table.limit + 1) / gate_bytes : gates;
    if (!table.base || qemu.memory(qemu.get_cpu(int(cpu)), table.base, bytes, count * gate_bytes, false) != 0) return;
    for (uint32_t i = 0; i < count; ++i) {
        uint64_t low, high;
        memcpy(&low, bytes + i * gate_bytes, 8);
        memcpy(&high, bytes + i * gate_bytes + 8, 8);
        const uint64_t type = low >> 40 & 0x0e, present = low >> 47 & 1;
        const uint64_t target = (low & 0xffff) | (low >> 32 & 0xffff'0000) | high << 32;
        handlers[i] = present && type == 0x0e ? target : 0;
    }
}

// LIDT's operand: two bytes of limit, then the base.
void on_table_load(unsigned cpu, qemu_plugin_meminfo_t about, uint64_t address, void*) {
    on_access(cpu, about, address, nullptr);
    if (cpu >= cpus_most || qemu_plugin_mem_size_shift(about) < 2) return;
    uint8_t operand[10];
    if (qemu.memory(qemu.get_cpu(int(cpu)), address - 2, operand, sizeof operand, false) != 0) return;
    uint16_t limit;
    memcpy(&limit, operand, sizeof limit);
    idt[cpu].limit = limit;
    memcpy(&idt[cpu].base, operand + 2, sizeof idt[cpu].base);
}

int vector_of(uint64_t address) {
    for (unsigned vector = 0; vector < gates; ++vector)
        if (handlers[vector] == address && address) return int(vector);
    return -1;
}

// --- translation -----------------------------------------------------------------------------------------------------

// One callback of a kind for an instruction: QEMU 7.2 calls only the first that is registered for its accesses.
void instrument(qemu_plugin_insn* instruction) {
    const InstructionKind kind = kind_of_instruction(static_cast<const uint8_t*>(qemu_plugin_insn_data(instruction)),
                                                     qemu_plugin_insn_size(instruction));
    qemu_plugin_register_vcpu_insn_exec_inline(instruction, QEMU_PLUGIN_INLINE_ADD_U64, &started, 1);
    qemu_plugin_register_vcpu_mem_cb(instruction, kind == InstructionKind::load_idt ? on_table_load : on_access,
                                     QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, nullptr);
    if (kind == InstructionKind::changes_translations)
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, forget_pages, QEMU_PLUGIN_CB_NO_REGS, nullptr);
    if (kind == InstructionKind::halt)
        qemu_plugin_register_vcpu_insn_exec_cb(
            instruction, [](unsigned, void*) { channel.publish(); }, QEMU_PLUGIN_CB_NO_REGS, nullptr);
}

uint64_t ram_address(const qemu_plugin_insn* instruction) {
    void* host = qemu_plugin_insn_haddr(instruction);
    return host ? qemu.ram_address(host) : unknown_address;
}

void describe(const qemu_plugin_tb* block, unsigned cpu, uint32_t number, size_t count) {
    const uint64_t address = qemu_plugin_tb_vaddr(block);
    uint64_t bytes = 0, second = unknown_address;
    for (size_t i = 0; i < count; ++i) {
        const qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
        bytes += qemu_plugin_insn_size(instruction);
        const uint64_t at = qemu_plugin_insn_vaddr(instruction);
        if ((at ^ address) & -page_bytes && second == unknown_address) second = ram_address(instruction) & -page_bytes;
    }
    const auto words = uint32_t(4 + (count + 7) / 8 + (bytes + 7) / 8);
    uint64_t* to = channel.reserve(words + 1);
    memset(to, 0, (words + 1) * sizeof(uint64_t));
    to[0] = uint64_t(Kind::code) | uint64_t(words) << other_words_shift;
    to[1] = number | uint64_t(count) << 32 | uint64_t(code_width(cpu)) << 48;
    to[2] = address;
    to[3] = ram_address(qemu_plugin_tb_get_insn(block, 0));
    to[4] = second;
    auto* lengths = reinterpret_cast<uint8_t*>(to + 5);
    uint8_t* code = lengths + (count + 7) / 8 * 8;
    for (size_t i = 0; i < count; ++i) {
        const qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(block, i);
        lengths[i] = uint8_t(qemu_plugin_insn_size(instruction));
        memcpy(code, qemu_plugin_insn_data(instruction), lengths[i]);
        code += lengths[i];
    }
    channel.commit(words + 1);
}

void on_translation(qemu_plugin_id_t, qemu_plugin_tb* block) {
    const uint64_t address = qemu_plugin_tb_vaddr(block);
    if (!begun && address != entry) return;
    const size_t count = qemu_plugin_tb_n_insns(block);
    const uint32_t number = blocks++;
    const unsigned cpu = current();
    describe(block, cpu, number, count);
    read_gates(cpu);
    const int vector = vector_of(address);
    const uint64_t user = number | uint64_t(vector < 0 ? 0 : vector) << 32;
    qemu_plugin_register_vcpu_tb_exec_cb(block,
                                         !begun       ? on_entry
                                         : vector < 0 ? on_block
                                                      : on_handler,
                                         QEMU_PLUGIN_CB_R_REGS, reinterpret_cast<void*>(user));
    for (size_t i = 0; i < count; ++i) instrument(qemu_plugin_tb_get_insn(block, i));
}

// --- beginning and end -----------------------------------------------------------------------------------------------

void on_exit(qemu_plugin_id_t, void*) {
    constexpr int numbers[] = {gdb_rip, gdb_rflags, gdb_cs,   gdb_ss,      gdb_cr0,    gdb_cr2,
                               gdb_cr3, gdb_cr4,    gdb_efer, gdb_fs_base, gdb_gs_base};
    uint64_t rest[1 + end_registers] = {take_started()};
    for (int i = 0; i < end_rip; ++i) rest[1 + i] = read_register(running_cpu, i);
    for (int i = end_rip; i < end_registers; ++i) rest[1 + i] = read_register(running_cpu, numbers[i - end_rip]);
    put_other(Kind::end, 1 + end_registers, running_cpu, rest);
    channel.publish();
}

template <typename Symbol>
bool look_up(Symbol& symbol, const char* name) {
    symbol = reinterpret_cast<Symbol>(dlsym(RTLD_DEFAULT, name));
    if (!symbol)
        fprintf(stderr, "exo-qemu-plugin: this QEMU does not export %s, as QEMU 7.2 of Debian 12 does\n", name);
    return symbol;
}

bool look_up_qemu() {
    return look_up(qemu.get_cpu, "qemu_get_cpu") && look_up(qemu.memory, "cpu_memory_rw_debug") &&
           look_up(qemu.physical_page, "cpu_get_phys_page_debug") &&
           look_up(qemu.read_register, "x86_cpu_gdb_read_register") &&
           look_up(qemu.ram_address, "qemu_ram_addr_from_host");
}

// "name=123" or "name=0x7b"
bool read_argument(const char* text, const char* name, uint64_t& value) {
    const size_t length = strlen(name);
    if (strncmp(text, name, length) != 0 || text[length] != '=') return false;
    value = strtoull(text + length + 1, nullptr, 0);
    return true;
}

}  // namespace

// Arguments: memory=FD,doorbell=FD,entry=ADDRESS (virtual, of the kernel's first instruction).
extern "C" __attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info,
                                                                          int argc, char** argv) {
    if (info->version.min > qemu_plugin_version || info->version.cur < qemu_plugin_version || !info->system_emulation ||
        strcmp(info->target_name, "x86_64") != 0) {
        fprintf(stderr,
                "exo-qemu-plugin: needs qemu-system-x86_64 with plugin interface %d; this is %s with %d to %d\n",
                qemu_plugin_version, info->target_name, info->version.min, info->version.cur);
        return 1;
    }
    if (info->system.smp_vcpus > int(cpus_most)) {
        fprintf(stderr, "exo-qemu-plugin: at most %u CPUs\n", cpus_most);
        return 1;
    }
    uint64_t memory = ~uint64_t{0}, doorbell = ~uint64_t{0};
    for (int i = 0; i < argc; ++i)
        if (!read_argument(argv[i], "memory", memory) && !read_argument(argv[i], "doorbell", doorbell) &&
            !read_argument(argv[i], "entry", entry)) {
            fprintf(stderr, "exo-qemu-plugin: unknown argument %s\n", argv[i]);
            return 1;
        }
    const char* why = nullptr;
    if (!look_up_qemu()) return 1;
    if (!channel.open(int(memory), int(doorbell), why)) {
        fprintf(stderr, "exo-qemu-plugin: %s\n", why);
        return 1;
    }
    register_bytes = g_byte_array_new();
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, nullptr);
    return 0;
}

}  // namespace exo_plugin
