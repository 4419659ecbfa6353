// SPDX-License-Identifier: GPL-2.0-or-later
// The mailbox canary: what it takes a word to get from one processor to another. What crosses cores is compared as a
// ratio to it, since nobody says which two cores a machine gives us.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <bench/harness/clock.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/loops.hpp>
#include <thread>

namespace devenv {

namespace {

struct alignas(128) Box {
    std::atomic<std::uint64_t> word{0};
};
struct Boxes {
    Box there, back;
    std::atomic<bool> end{false};
};

// Waits for a word that another processor stores; false if it is time to end.
bool await(const Box& box, std::uint64_t word, const std::atomic<bool>& end) {
    for (unsigned tries = 1; box.word.load(std::memory_order_acquire) != word; ++tries)
        if (tries % 1024 == 0 && (end.load(std::memory_order_relaxed) || stop_requested())) return false;
    return true;
}

void answer(Boxes& boxes) {
    for (std::uint64_t word = 1; await(boxes.there, word, boxes.end); ++word)
        boxes.back.word.store(word, std::memory_order_release);
}

void stay_on(pthread_t thread, unsigned processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_setaffinity_np(thread, sizeof one, &one);
}

}  // namespace

std::optional<LoopTime> time_mailbox() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return std::nullopt;
    unsigned processors[2], found = 0;
    for (unsigned i = 0; i < CPU_SETSIZE && found < 2; ++i)
        if (CPU_ISSET(i, &allowed)) processors[found++] = i;
    Boxes boxes;
    std::jthread other([&boxes] { answer(boxes); });
    stay_on(other.native_handle(), processors[1]);
    stay_on(pthread_self(), processors[0]);
    constexpr unsigned trips = 2000;
    std::vector<double> batches;
    std::uint64_t word = 0;
    bool going = true;
    for (unsigned batch = 0; going && batch < 40; ++batch) {
        const double before = bench::core_per_tick();
        const std::uint64_t start = bench::ticks();
        for (unsigned i = 0; going && i < trips; ++i) {
            boxes.there.word.store(++word, std::memory_order_release);
            going = await(boxes.back, word, boxes.end);
        }
        const auto passed = static_cast<double>(bench::ticks() - start);
        batches.push_back(passed * (before + bench::core_per_tick()) / 2 / (2 * trips));
    }
    boxes.end = true;
    other.join();
    sched_setaffinity(0, sizeof allowed, &allowed);
    if (!going) throw Failure(Exit::interrupted, "interrupted");
    std::ranges::sort(batches);
    return LoopTime{batches.front(), batches[1] / batches[0] - 1};
}

}  // namespace devenv
