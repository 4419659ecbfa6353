// SPDX-License-Identifier: GPL-2.0-or-later
// A PVH kernel with descriptor tables, rings and interrupts of its own: output by the UART's interrupt through the old
// controllers, the local APIC's timer and an interrupt to itself, a page fault that is mended, ring 3 and back by a
// software interrupt. Ends by power-off, or with `reset` or `triple` on its command line otherwise.
#include "pc.h"

struct frame {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax, number, error, rip, cs, flags, rsp, ss;
};
struct start_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line, rsdp, memory_map;
    uint32_t memory_entries, reserved;
};

extern uint64_t tss_descriptor[2];
extern char stack_end[];
void undefined_entry(void), page_fault_entry(void), uart_entry(void), apic_timer_entry(void), self_entry(void),
    system_call_entry(void), user_program(void), leave_user(void);
void enter_user(void (*program)(void), char* stack);

static struct idt_entry idt[0x81];
static struct {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed)) tss;
static char kernel_stack[8192] __attribute__((aligned(16))), user_stack[4096] __attribute__((aligned(16)));
static volatile uint32_t undefined, faults, timers, selves;
static volatile uint64_t fault_address;

// The line: a ring that the transmitter's interrupt empties.
static volatile char ring[256];
static volatile uint8_t ring_in, ring_out;

static volatile uint32_t* const apic = (volatile uint32_t*)0xfee00000;
enum {
    APIC_EOI = 0xb0 / 4,
    APIC_SVR = 0xf0 / 4,
    APIC_ICR = 0x300 / 4,
    APIC_TIMER = 0x320 / 4,
    APIC_INIT = 0x380 / 4,
    APIC_DIVIDE = 0x3e0 / 4
};

static void put(const char* text) {
    for (; *text; ++text) {
        while ((uint8_t)(ring_in + 1) == ring_out) __asm__ volatile("sti; hlt; cli");
        ring[ring_in++] = *text;
    }
    outb(COM1 + 1, 0);
    outb(COM1 + 1, 2);  // off and on again: an empty transmitter interrupts
}
static void drain(void) {
    while (ring_out != ring_in || !(inb(COM1 + 5) & LSR_TEMT)) __asm__ volatile("sti; nop; cli");
}

static void uart_interrupt(void) {
    inb(COM1 + 2);  // which one: the transmitter
    if (ring_out != ring_in) outb(COM1, ring[ring_out++]);
    outb(0x20, 0x64);  // end of interrupt 4, specific
}

void dispatch(struct frame* frame) {
    switch (frame->number) {
        case 6:
            ++undefined;
            frame->rip += 2;
            return;
        case 14:
            ++faults;
            __asm__ volatile("mov %%cr2, %0" : "=r"(*(uint64_t*)&fault_address));
            frame->rip = frame->rax;  // where to go on: see touch
            return;
        case 0x24:
            return uart_interrupt();
        case 0x50:
            ++timers;
            apic[APIC_EOI] = 0;
            return;
        case 0x51:
            ++selves;
            apic[APIC_EOI] = 0;
            return;
        case 0x80:
            if (frame->rax == 0) leave_user();
            const char text[] = {(char)frame->rdi, frame->cs == 0x33 ? '3' : '?', ' ', 0};
            put(text);
            return;
    }
}

static void touch(uint64_t address) {
    __asm__ volatile("lea 1f(%%rip), %%rax; movb $1, (%0); 1:" ::"r"(address) : "rax", "memory");
}

static void set_up(void) {
    set_gate(&idt[6], undefined_entry, 0x8e);
    set_gate(&idt[14], page_fault_entry, 0x8e);
    set_gate(&idt[0x24], uart_entry, 0x8e);
    set_gate(&idt[0x50], apic_timer_entry, 0x8e);
    set_gate(&idt[0x51], self_entry, 0x8e);
    set_gate(&idt[0x80], system_call_entry, 0xee);
    load_idt(idt, 0x81);
    tss.rsp[0] = (uint64_t)kernel_stack + sizeof kernel_stack;
    tss.io_map = sizeof tss;
    const uint64_t base = (uint64_t)&tss;
    tss_descriptor[0] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
    tss_descriptor[1] = base >> 32;
    __asm__ volatile("ltr %w0" ::"r"(0x38));
    pic_remap(0xef, 0xff);  // the UART alone
    outb(COM1 + 3, 0x80);
    outb(COM1, 1), outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 4, 0x0b);
}

static int begins_with(const char* text, const char* start) {
    while (*start)
        if (*text++ != *start++) return 0;
    return 1;
}
static int has_word(const char* text, const char* word) {
    for (; *text; ++text)
        if (begins_with(text, word)) return 1;
    return 0;
}

void kernel_main(const struct start_info* info, uint32_t seen32) {
    set_up();
    put(info->magic == 0x336ec578 ? "rings: started by PVH\n" : "rings: no magic\n");
    put(seen32 == 2 ? "32-bit exceptions taken\n" : "32-bit exceptions lost\n");
    put(info->version >= 1 && info->memory_entries > 0 ? "memory map told\n" : "no memory map\n");

    __asm__ volatile("ud2; ud2");
    touch(0x1000123);
    put(undefined == 2 ? "#UD twice\n" : "#UD lost\n");
    put(faults == 1 && fault_address == 0x1000123 ? "#PF at 0x1000123\n" : "#PF lost\n");

    apic[APIC_SVR] = 0x1ff;
    apic[APIC_DIVIDE] = 0xb;
    apic[APIC_TIMER] = 0x50;
    apic[APIC_INIT] = 10000;
    while (!timers) __asm__ volatile("sti; hlt; cli");
    put("APIC timer\n");
    apic[APIC_ICR] = 0x40051;  // to itself
    __asm__ volatile("sti; nop; nop; cli");
    put(selves == 1 ? "interrupt to itself\n" : "no interrupt to itself\n");

    double third = 1.0 / 3;  // the vector unit in ring 0
    __asm__ volatile("" : "+x"(third));
    put(third * 3 == 1.0 ? "doubles\n" : "no doubles\n");

    enter_user(user_program, user_stack + sizeof user_stack);
    put("ring 3 and back\n");
    drain();
    const char* line = info->command_line ? (const char*)info->command_line : "";
    if (has_word(line, "reset")) outb(0x64, 0xfe);
    if (has_word(line, "triple")) {
        load_idt(idt, 1);  // the first gate alone
        __asm__ volatile("ud2");
    }
    power_off();
}
