// SPDX-License-Identifier: MIT
// The suite inside the booted kernel (scenario=contract), in a kernel thread. One line a case or failed check, for
// runner.cpp: "contract: NAME ok", "contract: NAME FAILED file:line expression", "contract: N passed, M failed".
//
// Timer interrupts reach a case by the linker's --wrap=kernel_interrupt, and other CPUs by --wrap=kernel_cpu_main and
// --wrap of hal::cpu_count, which tells the kernel that there is one: it needs no hook for its tests.
#include <bit>
#include <hal/upcalls.hpp>
#include <lib/text.hpp>
#include <mem/frames.hpp>

#include "check.hpp"
#include "cpus.hpp"

extern "C" {
unsigned __real__ZN3hal9cpu_countEv();
unsigned __wrap__ZN3hal9cpu_countEv();
[[noreturn]] void __wrap_kernel_cpu_main(hal::CpuIndex);
void __real_kernel_interrupt(hal::Interrupt, unsigned vector);
void __wrap_kernel_interrupt(hal::Interrupt, unsigned vector);
int exo_contract_main(void (*print)(std::string_view));
}

namespace contract {
namespace {

void (*print_line)(std::string_view);
const char* current_name;
unsigned failed_checks;

bool timer_is_owned;
std::uint64_t fired_count, fired_ns;

template <typename... Args>
void say(exo::CheckedFormat<std::type_identity_t<Args>...> format, const Args&... args) {
    exo::TextBuffer<512> line;
    line.format(format, args...);
    print_line(line.view());
}

}  // namespace

void fail(const char* file, int line, const char* expression) {
    ++failed_checks;
    constexpr unsigned shown = 5;  // a check in a loop must not flood the console
    if (failed_checks <= shown)
        say("contract: {} FAILED {}:{} {}\n", std::string_view(current_name), std::string_view(file), line,
            std::string_view(expression));
}

void note(std::string_view text) { say("contract: note {}\n", text); }

hal::PhysAddr block_allocate(std::size_t pages) {
    const auto block = exo::frames_allocate(unsigned(std::countr_zero(pages)));
    return block.ok() ? block.value() : no_block;
}
void block_free(hal::PhysAddr block, std::size_t pages) { exo::frames_free(block, unsigned(std::countr_zero(pages))); }

TimerOwner::TimerOwner() {
    hal::IrqGuard masked;
    fired_count = fired_ns = 0;
    hal::timer_disarm();
    timer_is_owned = true;
}
TimerOwner::~TimerOwner() {
    hal::IrqGuard masked;
    timer_is_owned = false;
    hal::timer_arm(hal::now_ns());  // the kernel's own deadline was lost: let it look at its clock again
}
std::uint64_t TimerOwner::fired() const { return __atomic_load_n(&fired_count, __ATOMIC_RELAXED); }
std::uint64_t TimerOwner::last_fired_ns() const { return __atomic_load_n(&fired_ns, __ATOMIC_RELAXED); }

}  // namespace contract

void __wrap_kernel_interrupt(hal::Interrupt kind, unsigned vector) {
    using namespace contract;
    const bool boot_cpu = hal::cpu_index() == hal::CpuIndex::boot;
    if (!boot_cpu || kind == hal::Interrupt::wake) count_interrupt(kind);
    if (!boot_cpu) return;
    if (kind != hal::Interrupt::timer || !timer_is_owned) return __real_kernel_interrupt(kind, vector);
    __atomic_store_n(&fired_ns, hal::now_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&fired_count, fired_count + 1, __ATOMIC_RELAXED);
}

unsigned contract::machine_cpus() { return __real__ZN3hal9cpu_countEv(); }
unsigned __wrap__ZN3hal9cpu_countEv() { return 1; }
void __wrap_kernel_cpu_main(hal::CpuIndex index) { contract::cpu_main(index); }

int exo_contract_main(void (*print)(std::string_view)) {
    using namespace contract;
    print_line = print;
    unsigned passed = 0, failed = 0;
    for (std::size_t i = 0; i < case_count(); ++i) {
        const Case test = case_at(i);
        current_name = test.name;
        failed_checks = 0;
        test.run();
        if (failed_checks == 0) say("contract: {} ok\n", std::string_view(test.name));
        ++(failed_checks == 0 ? passed : failed);
    }
    say("contract: {} passed, {} failed\n", passed, failed);
    return int(failed);
}
