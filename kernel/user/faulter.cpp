// SPDX-License-Identifier: MIT
// Does what a program must not do; `argument` says what. Returning at all is the failure.
#include <user/faulter.hpp>
#include <user/runtime.hpp>

namespace {

void execute_data() {
    static unsigned char code[] = {0xc3};  // ret
    asm volatile("call *%0" ::"r"(code) : "memory");
}

}  // namespace

EXO_PROGRAM(faulter) {
    switch (static_cast<user::Fault>(argument)) {
        case user::Fault::null_write:
            asm volatile("movl $0, 0" ::: "memory");
            break;
        case user::Fault::kernel_read:
            asm volatile("movq 0xffffffff80200000, %%rax" ::: "rax", "memory");
            break;
        case user::Fault::execute_data:
            execute_data();
            break;
        case user::Fault::privileged:
            asm volatile("cli");
            break;
        case user::Fault::code_write:
            asm volatile("movb $0x90, (%0)" ::"r"(&exo_program_faulter) : "memory");
            break;
        case user::Fault::port_io:
            asm volatile("outb %%al, $0xf4" ::"a"(0x10));
            break;
        case user::Fault::undefined:
            asm volatile("ud2");
            break;
        case user::Fault::vector:
            asm volatile("xorps %xmm0, %xmm0");
            break;
        case user::Fault::count:
            break;
    }
    return 1;
}
