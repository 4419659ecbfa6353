// SPDX-License-Identifier: MIT
// The windowed switch: arguments arrive, everything live survives, stacks are aligned and guarded.
#include "../check.hpp"
#include "../frames.hpp"

namespace {

using hal::Context;

constexpr std::size_t stack_pages = hal::kernel_stack_bytes / hal::page_bytes;

// A kernel stack from a block of frames.
class Stack {
  public:
    Stack() : block_(contract::block_allocate(stack_pages)) {
        if (block_ != contract::no_block) bytes_ = hal::map_kernel_stack(block_, stack_pages, frames_.source());
    }
    ~Stack() {
        if (!bytes_.empty()) hal::unmap_kernel_stack(bytes_, block_, stack_pages);
        if (block_ != contract::no_block) contract::block_free(block_, stack_pages);
    }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;
    std::span<std::byte> bytes() const { return bytes_; }

  private:
    // Table frames of kernel addresses are the kernel's for ever: they are not counted as this stack's.
    contract::CountedFrames frames_;
    hal::PhysAddr block_;
    std::span<std::byte> bytes_;
};

struct PingPong {
    Context main, other;
    void* argument_seen = nullptr;
    std::uintptr_t frame = 0;
    std::uint64_t turns = 0;
    bool interrupts_on = false;
};

void note_and_leave(void* raw) {
    auto& shared = *static_cast<PingPong*>(raw);
    shared.argument_seen = raw;
    shared.frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    shared.interrupts_on = hal::irq_enabled();
    hal::context_switch(shared.other, shared.main);
    __builtin_unreachable();
}

void count_for_ever(void* raw) {
    auto& shared = *static_cast<PingPong*>(raw);
    for (;;) {
        ++shared.turns;
        hal::context_switch(shared.other, shared.main);
    }
}

// Many values live across a switch, more than there are registers; the compiler cannot compute them again.
[[gnu::noinline]] std::uint64_t live_across(Context& from, const Context& to, std::uint64_t seed) {
    std::uint64_t v[20];
    for (std::uint64_t& value : v) {
        value = seed = seed * 6364136223846793005u + 1442695040888963407u;
        asm volatile("" : "+r"(value));
    }
    std::uint64_t before = 0, after = 0;
    for (const std::uint64_t value : v) before = before * 31 + value;
    asm volatile("" : "+r"(before));
    hal::context_switch(from, to);
    for (const std::uint64_t value : v) after = after * 31 + value;
    return before ^ after;
}

struct Mixer {
    Context main, other;
    std::uint64_t damage = 0;
};

void mix_for_ever(void* raw) {
    auto& shared = *static_cast<Mixer*>(raw);
    for (std::uint64_t seed = 1;; ++seed) shared.damage |= live_across(shared.other, shared.main, seed);
}

}  // namespace

CONTRACT_CASE(context_gets_its_argument_on_its_own_aligned_stack) {
    Stack stack;
    REQUIRE(!stack.bytes().empty());
    PingPong shared;
    hal::IrqGuard masked;
    shared.other = hal::context_make(stack.bytes(), &note_and_leave, &shared);
    hal::context_switch(shared.main, shared.other);
    const auto bottom = reinterpret_cast<std::uintptr_t>(stack.bytes().data());
    CHECK(shared.argument_seen == &shared);
    CHECK(shared.frame > bottom && shared.frame < bottom + stack.bytes().size());
    CHECK(shared.frame % 16 == 0);  // rbp after `push %rbp` in a function entered by a call: System V ABI 3.2.2
    CHECK(!shared.interrupts_on);
    hal::context_release(shared.other);
}

CONTRACT_CASE(ten_thousand_switches_return_each_time) {
    Stack stack;
    REQUIRE(!stack.bytes().empty());
    PingPong shared;
    hal::IrqGuard masked;
    shared.other = hal::context_make(stack.bytes(), &count_for_ever, &shared);
    for (std::uint64_t i = 1; i <= 10'000; ++i) {
        hal::context_switch(shared.main, shared.other);
        if (shared.turns != i) break;
    }
    CHECK(shared.turns == 10'000);
    hal::context_release(shared.other);
}

CONTRACT_CASE(values_live_across_a_switch) {
    Stack stack;
    REQUIRE(!stack.bytes().empty());
    Mixer shared;
    hal::IrqGuard masked;
    shared.other = hal::context_make(stack.bytes(), &mix_for_ever, &shared);
    std::uint64_t damage = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) damage |= live_across(shared.main, shared.other, ~i);
    CHECK(damage == 0);
    CHECK(shared.damage == 0);
    hal::context_release(shared.other);
}

CONTRACT_CASE(many_contexts_keep_apart) {
    constexpr unsigned count = 16;
    static PingPong shared[count];
    Stack stacks[count];
    hal::IrqGuard masked;
    for (unsigned i = 0; i < count; ++i) {
        REQUIRE(!stacks[i].bytes().empty());
        shared[i] = {};
        shared[i].other = hal::context_make(stacks[i].bytes(), &count_for_ever, &shared[i]);
    }
    for (unsigned round = 0; round < 100; ++round)
        for (unsigned i = 0; i < count; ++i)
            if (i <= round % count) hal::context_switch(shared[i].main, shared[i].other);
    for (unsigned i = 0; i < count; ++i) {
        unsigned expected = 0;
        for (unsigned round = 0; round < 100; ++round) expected += i <= round % count;
        CHECK(shared[i].turns == expected);
        hal::context_release(shared[i].other);
    }
}

CONTRACT_CASE(kernel_stack_is_usable_to_its_last_byte) {
    Stack stack;
    REQUIRE(!stack.bytes().empty());
    CHECK(stack.bytes().size() <= hal::kernel_stack_bytes);
    CHECK(stack.bytes().size() >= hal::kernel_stack_bytes - hal::page_bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(stack.bytes().data()) % hal::page_bytes == 0);
    __builtin_memset(stack.bytes().data(), 0x5a, stack.bytes().size());
    CHECK(stack.bytes().front() == std::byte{0x5a} && stack.bytes().back() == std::byte{0x5a});
}

// A copy through the exception table is the one way to touch a guard and live.
CONTRACT_CASE(kernel_stack_has_a_guard_below) {
    Stack stack;
    REQUIRE(!stack.bytes().empty());
    std::uint64_t word = 0;
    const hal::VirtAddr below(reinterpret_cast<std::uint64_t>(stack.bytes().data()) - sizeof word);
    CHECK(hal::user_copy_in(&word, below, sizeof word) == sizeof word);
    const hal::VirtAddr bottom(reinterpret_cast<std::uint64_t>(stack.bytes().data()));
    if (!hal::isolation_enforced) CHECK(hal::user_copy_in(&word, bottom, sizeof word) == 0);
}

CONTRACT_CASE(stack_block_is_plain_memory_again_after_unmap) {
    const hal::PhysAddr block = contract::block_allocate(stack_pages);
    REQUIRE(block != contract::no_block);
    contract::CountedFrames frames;
    for (int i = 0; i < 50; ++i) {
        const std::span<std::byte> bytes = hal::map_kernel_stack(block, stack_pages, frames.source());
        REQUIRE(!bytes.empty());
        bytes.front() = std::byte(i);
        hal::unmap_kernel_stack(bytes, block, stack_pages);
    }
    __builtin_memset(hal::phys_to_virt(block), 0, stack_pages * hal::page_bytes);
    contract::block_free(block, stack_pages);
}

CONTRACT_GROUP(context)
