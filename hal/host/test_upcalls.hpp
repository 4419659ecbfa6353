// SPDX-License-Identifier: MIT
// The upcalls of a program that tests the backend without a kernel: each goes to a function that the test sets.
#pragma once
#include <functional>
#include <hal/upcalls.hpp>

namespace hal::test {

struct Upcalls {
    std::function<void(const BootInfo&)> main;
    std::function<void(CpuIndex)> cpu_main;  // another CPU; it halts for ever after that
    std::function<void(TrapFrame&)> trap;    // unset: fix-ups, else registers on standard error and exit status 3
    std::function<void(Interrupt, unsigned)> interrupt;
    std::function<void(UserFrame&)> syscall;
    std::function<void()> return_to_user;
};
Upcalls& upcalls();

}  // namespace hal::test
