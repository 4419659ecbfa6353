// SPDX-License-Identifier: MIT
// The windowed switch between two contexts, against the C library's.
#include <ucontext.h>

#include <hal/context.hpp>
#include <hal/irq.hpp>
#include <memory>

#include "cases.hpp"

namespace bench {
namespace {

constexpr std::size_t stack_bytes = 64 * 1024;

struct Windowed {
    hal::Context main, other;
    std::uint64_t turns = 0;
    std::unique_ptr<std::byte[]> stack{new std::byte[stack_bytes]};

    Windowed() { other = hal::context_make({stack.get(), stack_bytes}, &count, this); }
    ~Windowed() { hal::context_release(other); }
    static void count(void* raw) {
        auto& self = *static_cast<Windowed*>(raw);
        for (;;) {
            ++self.turns;
            hal::context_switch(self.other, self.main);
        }
    }
    std::uint64_t run(std::uint64_t switches) {
        hal::IrqGuard masked;
        const std::uint64_t before = turns;
        for (std::uint64_t i = 0; i < switches / 2; ++i) hal::context_switch(main, other);
        return turns - before;
    }
};

struct Library {
    ucontext_t main{}, other{};
    std::uint64_t turns = 0;
    std::unique_ptr<std::byte[]> stack{new std::byte[stack_bytes]};
    static inline Library* self = nullptr;  // makecontext passes integers only

    Library() {
        self = this;
        getcontext(&other);
        other.uc_stack.ss_sp = stack.get();
        other.uc_stack.ss_size = stack_bytes;
        makecontext(&other, &count, 0);
    }
    static void count() {
        for (;;) {
            ++self->turns;
            swapcontext(&self->other, &self->main);
        }
    }
    std::uint64_t run(std::uint64_t switches) {
        const std::uint64_t before = turns;
        for (std::uint64_t i = 0; i < switches / 2; ++i) swapcontext(&main, &other);
        return turns - before;
    }
};

}  // namespace

RowResult context_switch(const Effort& effort) {
    Windowed windowed;
    Library library;
    const auto half = [](std::uint64_t switches) { return switches / 2; };
    return measure(
        {"context_switch", "context switch, user-level threads", "one address space", "same thread",
         "two contexts in turn, warm, no scheduler; swapcontext also saves the signal mask by a system call"},
        {{"exo", 20'000, [&](std::uint64_t n) { return windowed.run(n); }, half},
         {"glibc swapcontext", 1'000, [&](std::uint64_t n) { return library.run(n); }, half}},
        effort);
}

}  // namespace bench
