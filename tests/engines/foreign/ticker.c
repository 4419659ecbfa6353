// SPDX-License-Identifier: GPL-2.0-or-later
// A multiboot2 kernel, identity-mapped, driven by the old interrupt controllers and interval timer: counts 50 ticks of
// 1000 Hz in HLT, lets the speaker's channel run out, says so on the serial line by polling, and ends.
#include "pc.h"

static volatile uint64_t ticks;
static struct idt_entry idt[64];

static void put_char(char c) {
    while (!(inb(COM1 + 5) & LSR_THRE)) {
    }
    outb(COM1, c);
}
static void put(const char* text) {
    for (; *text; ++text) put_char(*text);
}
static void put_number(uint64_t value) {
    char digits[20];
    int count = 0;
    do digits[count++] = '0' + value % 10;
    while (value /= 10);
    while (count) put_char(digits[--count]);
}

void irq0_entry(void);
void timer_interrupt(void) {
    ++ticks;
    outb(0x20, 0x20);  // end of interrupt, not specific
}

// The tags of the information structure that every loader gives.
static void read_information(const uint8_t* info) {
    const uint8_t* end = info + *(const uint32_t*)info;
    for (const uint8_t* tag = info + 8; tag < end && *(const uint32_t*)tag;) {
        const uint32_t type = ((const uint32_t*)tag)[0], size = ((const uint32_t*)tag)[1];
        if (type == 1) {
            put("command line: ");
            put((const char*)tag + 8);
            put("\n");
        } else if (type == 6) {
            uint64_t high = 0;
            for (const uint8_t* e = tag + 16; e < tag + size; e += ((const uint32_t*)tag)[2])
                if (*(const uint64_t*)e == 0x100000 && *(const uint32_t*)(e + 16) == 1)
                    high = *(const uint64_t*)(e + 8);
            put(high > 8 << 20 ? "memory map: RAM from 1 MiB on\n" : "memory map: no RAM at 1 MiB\n");
        }
        tag += (size + 7) & ~7u;
    }
}

// Mode 0 on channel 2: its output, bit 5 of port 0x61, rises when the count has run out.
static void wait_for_speaker(void) {
    outb(0x61, inb(0x61) & ~3);
    outb(0x43, 0xb0);
    outb(0x42, 1193 & 0xff);
    outb(0x42, 1193 >> 8);
    const int before = inb(0x61) >> 5 & 1;
    outb(0x61, (inb(0x61) & ~2) | 1);
    uint32_t polls = 0;
    while (!(inb(0x61) & 0x20)) ++polls;
    put(!before && polls ? "channel 2 ran out\n" : "channel 2 did not count\n");
}

void kernel_main(uint32_t magic, const uint8_t* info) {
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1, 1), outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 0xc7);
    outb(COM1 + 4, 0x0b);
    put(magic == 0x36d76289 ? "ticker: started by multiboot2\n" : "ticker: no magic\n");
    read_information(info);

    pic_remap(0xfe, 0xff);  // the timer alone; the keyboard is masked with all others
    set_gate(&idt[0x20], irq0_entry, 0x8e);
    load_idt(idt, 64);
    outb(0x43, 0x34);  // channel 0, both bytes, mode 2
    outb(0x40, 1193 & 0xff), outb(0x40, 1193 >> 8);
    __asm__ volatile("sti");
    while (ticks < 50) __asm__ volatile("hlt");
    __asm__ volatile("cli");
    put_number(ticks);
    put(" ticks\n");
    outb(0x21, 0xff);
    wait_for_speaker();
    power_off();
}
