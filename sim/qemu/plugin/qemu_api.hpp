// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of QEMU that our plugins call, declared by hand: no package ships QEMU's headers. The plugin interface is
// version 1 (QEMU 4.2 to 8.1); the rest are ordinary functions that Debian's QEMU exports and that are asked for by
// name at run time.
#pragma once
#include <stddef.h>
#include <stdint.h>

extern "C" {

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

struct qemu_info_t {
    const char* target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    union {
        struct {
            int smp_vcpus, max_vcpus;
        } system;
    };
};

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_CB_R_REGS, QEMU_PLUGIN_CB_RW_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*qemu_plugin_vcpu_tb_trans_cb_t)(qemu_plugin_id_t, qemu_plugin_tb*);
typedef void (*qemu_plugin_vcpu_simple_cb_t)(qemu_plugin_id_t, unsigned cpu);
typedef void (*qemu_plugin_vcpu_udata_cb_t)(unsigned cpu, void* user);
typedef void (*qemu_plugin_vcpu_mem_cb_t)(unsigned cpu, qemu_plugin_meminfo_t, uint64_t address, void* user);
typedef void (*qemu_plugin_udata_cb_t)(qemu_plugin_id_t, void* user);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, qemu_plugin_vcpu_tb_trans_cb_t);
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb*, qemu_plugin_vcpu_udata_cb_t, qemu_plugin_cb_flags, void*);
void qemu_plugin_register_vcpu_insn_exec_cb(qemu_plugin_insn*, qemu_plugin_vcpu_udata_cb_t, qemu_plugin_cb_flags,
                                            void*);
void qemu_plugin_register_vcpu_insn_exec_inline(qemu_plugin_insn*, qemu_plugin_op, void* sum, uint64_t addend);
void qemu_plugin_register_vcpu_mem_cb(qemu_plugin_insn*, qemu_plugin_vcpu_mem_cb_t, qemu_plugin_cb_flags,
                                      qemu_plugin_mem_rw, void*);
void qemu_plugin_register_vcpu_idle_cb(qemu_plugin_id_t, qemu_plugin_vcpu_simple_cb_t);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, qemu_plugin_udata_cb_t, void*);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb*);
qemu_plugin_insn* qemu_plugin_tb_get_insn(const qemu_plugin_tb*, size_t);
const void* qemu_plugin_insn_data(const qemu_plugin_insn*);
size_t qemu_plugin_insn_size(const qemu_plugin_insn*);
uint64_t qemu_plugin_insn_vaddr(const qemu_plugin_insn*);
void* qemu_plugin_insn_haddr(const qemu_plugin_insn*);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
qemu_plugin_hwaddr* qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const qemu_plugin_hwaddr*);

// GLib, which QEMU is linked with.
struct GByteArray {
    uint8_t* data;
    unsigned size;
};
GByteArray* g_byte_array_new(void);
GByteArray* g_byte_array_set_size(GByteArray*, unsigned);

// By name at run time.
struct CPUState;
typedef CPUState* (*qemu_get_cpu_t)(int index);
typedef int (*cpu_memory_rw_debug_t)(CPUState*, uint64_t address, void* buffer, uint64_t bytes, bool write);
typedef uint64_t (*cpu_get_phys_page_debug_t)(CPUState*, uint64_t address);  // -1: not mapped
typedef int (*x86_cpu_gdb_read_register_t)(CPUState*, GByteArray*, int number);
typedef int (*x86_cpu_gdb_write_register_t)(CPUState*, uint8_t* value, int number);
typedef uint32_t (*cpu_cc_compute_all_t)(void* env, int operation);  // the arithmetic flags
typedef uint64_t (*qemu_ram_addr_from_host_t)(void* host);           // -1: not RAM

}  // extern "C"

// Register numbers of QEMU 7.2's x86_cpu_gdb_read_register in 64-bit emulators. The general ones come in the order rax,
// rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 ... r15.
constexpr int gdb_rsp = 7, gdb_rip = 16, gdb_rflags = 17, gdb_cs = 18, gdb_ss = 19, gdb_fs_base = 24, gdb_gs_base = 25,
              gdb_cr0 = 27, gdb_cr2 = 28, gdb_cr3 = 29, gdb_cr4 = 30, gdb_efer = 32, gdb_st0 = 33, gdb_fctrl = 41,
              gdb_fstat = 42, gdb_xmm0 = 49, gdb_mxcsr = 65;
