// SPDX-License-Identifier: MIT
#include "test_upcalls.hpp"

#include <cstdio>
#include <hal/cpu.hpp>
#include <hal/power.hpp>

namespace hal::test {

Upcalls& upcalls() {
    static Upcalls hooks;
    return hooks;
}

}  // namespace hal::test

namespace hal {

extern "C" {

void kernel_main(const BootInfo& boot) {
    if (test::upcalls().main) test::upcalls().main(boot);
    power_off(PowerOff::success);
}

void kernel_cpu_main(CpuIndex cpu) {
    if (test::upcalls().cpu_main) test::upcalls().cpu_main(cpu);
    for (;;) halt_until_interrupt();
}

void kernel_trap(TrapFrame& frame) {
    if (test::upcalls().trap) return test::upcalls().trap(frame);
    if (trap_fixup(frame)) return;
    TextSink sink{[](void*, std::string_view text) { fwrite(text.data(), 1, text.size(), stderr); }, nullptr};
    sink.write(nullptr, trap_info(frame).name);
    sink.write(nullptr, "\n");
    describe(frame, sink);
    power_off(PowerOff::failure);
}

void kernel_interrupt(Interrupt kind, unsigned vector) {
    if (test::upcalls().interrupt) test::upcalls().interrupt(kind, vector);
}

void kernel_syscall(UserFrame& frame) {
    if (test::upcalls().syscall) test::upcalls().syscall(frame);
}

void kernel_return_to_user() {
    if (test::upcalls().return_to_user) test::upcalls().return_to_user();
}
}

}  // namespace hal
