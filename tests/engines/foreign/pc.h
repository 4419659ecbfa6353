// SPDX-License-Identifier: GPL-2.0-or-later
// What both guest kernels need of a PC. C, in the manner of small teaching kernels: nothing of Exo-OS is used here.
#ifndef PC_H
#define PC_H
#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline uint8_t inb(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void wrmsr(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

#define COM1 0x3f8
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

struct idt_entry {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, zero;
} __attribute__((packed));

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline void set_gate(struct idt_entry* entry, void (*handler)(void), uint8_t type) {
    uint64_t address = (uint64_t)handler;
    entry->offset_low = address;
    entry->selector = 0x08;
    entry->ist = 0;
    entry->type = type;
    entry->offset_mid = address >> 16;
    entry->offset_high = address >> 32;
    entry->zero = 0;
}

static inline void load_idt(struct idt_entry* idt, uint16_t entries) {
    struct descriptor_pointer pointer = {(uint16_t)(entries * sizeof *idt - 1), (uint64_t)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

// Both interrupt controllers: vectors 0x20 and 0x28, then their masks.
static inline void pic_remap(uint8_t mask1, uint8_t mask2) {
    outb(0x20, 0x11), outb(0xa0, 0x11);
    outb(0x21, 0x20), outb(0xa1, 0x28);
    outb(0x21, 0x04), outb(0xa1, 0x02);
    outb(0x21, 0x01), outb(0xa1, 0x01);
    outb(0x21, mask1), outb(0xa1, mask2);
}

// The end: QEMU's isa-debug-exit (status 33), then Bochs's port, once the line is empty.
static inline void power_off(void) {
    while (!(inb(COM1 + 5) & LSR_TEMT)) {
    }
    outb(0xf4, 0x10);
    for (const char* c = "Shutdown"; *c; ++c) outb(0x8900, *c);
    for (;;) __asm__ volatile("cli; hlt");
}

#endif
