// SPDX-License-Identifier: MIT
// What a contract case is written against: no library, no constructors, so the same source runs under GoogleTest and
// inside the booted kernel. A case that fails goes on, unless the check was a REQUIRE.
#pragma once
#include <cstddef>
#include <cstdint>
#include <hal/context.hpp>
#include <hal/cpu.hpp>
#include <hal/irq.hpp>
#include <hal/mmu.hpp>
#include <hal/timer.hpp>
#include <hal/user.hpp>
#include <span>
#include <string_view>
#include <utility>

namespace contract {

struct Case {
    const char* name = nullptr;
    void (*run)() = nullptr;
};

// What surrounds the cases: implemented once for the host, once for the booted kernel.
void fail(const char* file, int line, const char* expression);
void note(std::string_view text);  // shown, never judged

inline constexpr hal::PhysAddr no_block{~std::uint64_t{0}};
hal::PhysAddr block_allocate(std::size_t pages);  // pages: a power of two; contiguous, aligned to its size; or no_block
void block_free(hal::PhysAddr block, std::size_t pages);

// While one lives, timer interrupts belong to the case: they are counted here and go nowhere else.
class TimerOwner {
  public:
    TimerOwner();
    ~TimerOwner();
    TimerOwner(const TimerOwner&) = delete;
    TimerOwner& operator=(const TimerOwner&) = delete;
    std::uint64_t fired() const;          // so far
    std::uint64_t last_fired_ns() const;  // now_ns() in the last upcall
};

// Every case, group after group.
std::size_t case_count();
Case case_at(std::size_t index);

namespace {
template <int n>
constexpr Case numbered{};

template <int... n>
constexpr auto gather(std::integer_sequence<int, n...>) {
    struct {
        Case cases[sizeof...(n)];
    } all{{numbered<n>...}};
    return all;
}
}  // namespace

}  // namespace contract

// CONTRACT_CASE(name) { ... } defines a case; CONTRACT_GROUP(group), once at a file's end, makes the file's cases known
// as contract::group_cases, for the table in suite.cpp.
#define CONTRACT_CASE(name) CONTRACT_CASE_NUMBERED(name, __COUNTER__)
#define CONTRACT_CASE_NUMBERED(name, n)       \
    static void name();                       \
    namespace contract {                      \
    namespace {                               \
    template <>                               \
    constexpr Case numbered<n>{#name, &name}; \
    }                                         \
    }                                         \
    static void name()
#define CONTRACT_GROUP(group)                                                                   \
    namespace contract {                                                                        \
    static constexpr auto group##_all = gather(std::make_integer_sequence<int, __COUNTER__>{}); \
    extern const std::span<const Case> group##_cases;                                           \
    constinit const std::span<const Case> group##_cases{group##_all.cases};                     \
    }

#define CHECK(...)                                                            \
    do {                                                                      \
        if (!(__VA_ARGS__)) contract::fail(__FILE__, __LINE__, #__VA_ARGS__); \
    } while (false)
#define REQUIRE(...)                                          \
    do {                                                      \
        if (!(__VA_ARGS__)) {                                 \
            contract::fail(__FILE__, __LINE__, #__VA_ARGS__); \
            return;                                           \
        }                                                     \
    } while (false)
