// SPDX-License-Identifier: MIT
// CPU identity, per-CPU pointer, time stamp, entropy, backtraces.
#include <hal/trap.hpp>
#include <hal/vector.hpp>

#include "../check.hpp"

CONTRACT_CASE(boot_cpu_is_cpu_0) { CHECK(hal::cpu_index() == hal::CpuIndex::boot); }

CONTRACT_CASE(per_cpu_pointer_round_trip) {
    hal::IrqGuard masked;
    void* const kernels = hal::per_cpu();
    struct alignas(64) Block {
        hal::PerCpuHeader header;
        std::uint64_t payload;
    };
    static Block block;
    if (kernels) block.header = *static_cast<hal::PerCpuHeader*>(kernels);
    block.payload = 42;
    hal::per_cpu_set(&block);
    void* const ours = hal::per_cpu();
    const hal::CpuIndex index = hal::cpu_index();
    if (kernels) hal::per_cpu_set(kernels);
    CHECK(ours == &block);
    CHECK(static_cast<Block*>(ours)->payload == 42);
    CHECK(index == hal::CpuIndex::boot);
    if (kernels) CHECK(hal::per_cpu() == kernels);
}

CONTRACT_CASE(cycles_never_go_back) {
    std::uint64_t last = hal::cycles();
    const std::uint64_t first = last;
    for (int i = 0; i < 10'000; ++i) {
        const std::uint64_t now = hal::cycles();
        CHECK(now >= last);
        last = now;
    }
    CHECK(last > first);
}

CONTRACT_CASE(cycles_per_second_is_plausible) {
    const std::uint64_t rate = hal::cycles_per_second();
    CHECK(rate >= 50'000'000);  // Bochs models 100 MHz, and measured it may be a little less
    CHECK(rate <= 10'000'000'000);
    CHECK(rate == hal::cycles_per_second());
}

CONTRACT_CASE(entropy_is_not_constant) {
    const std::uint64_t first = hal::entropy();
    unsigned different = 0;
    std::uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < 64; ++i) {
        const std::uint64_t value = hal::entropy();
        different += value != first;
        ones |= value;
        zeros |= ~value;
    }
    CHECK(different >= 63);
    CHECK(ones == ~std::uint64_t{0} && zeros == ~std::uint64_t{0});  // no bit is stuck
}

CONTRACT_CASE(features_have_a_name) {
    CHECK(!hal::cpu_features().empty());
    CHECK(hal::cpu_features().data() == hal::cpu_features().data());
}

CONTRACT_CASE(frame_pointer_walk_ends) {
    auto frame_pointer = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    std::uintptr_t return_address = 0;
    int steps = 0;
    while (steps < 1000 && hal::FramePointerWalk::next(frame_pointer, return_address)) {
        CHECK(return_address != 0);
        ++steps;
    }
    CHECK(steps >= 1);
    CHECK(steps < 1000);
}

CONTRACT_CASE(frame_pointer_walk_refuses_garbage) {
    for (const std::uintptr_t bad : {std::uintptr_t{0}, std::uintptr_t{8}, std::uintptr_t{0x1234'5671},
                                     std::uintptr_t{0x8000'0000'0000'0000}, ~std::uintptr_t{0}, ~std::uintptr_t{7}}) {
        std::uintptr_t frame_pointer = bad, return_address = 0;
        CHECK(!hal::FramePointerWalk::next(frame_pointer, return_address));
    }
}

CONTRACT_GROUP(cpu)
