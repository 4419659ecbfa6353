// SPDX-License-Identifier: MIT
#include <core/calibrate.hpp>
#include <core/ending.hpp>
#include <core/log.hpp>
#include <core/scenario.hpp>
#include <core/stress.hpp>
#include <core/tour.hpp>
#include <hal/upcalls.hpp>
#include <sched/thread.hpp>

// The contract suite's entry, in images that are linked with it: 0 if every case passed.
extern "C" [[gnu::weak]] int exo_contract_main(void (*print)(std::string_view));

namespace exo {

namespace {

void tour_thread(void*) { end_run(tour_run() ? hal::PowerOff::success : hal::PowerOff::failure); }

constinit std::string_view line{};

void stress_thread(void*) { end_run(stress_run(line) ? hal::PowerOff::success : hal::PowerOff::failure); }

void contract_thread(void*) {
    if (exo_contract_main == nullptr) {
        log("scenario=contract: this image does not carry the contract suite; run exo-contract.elf\n");
        end_run(hal::PowerOff::failure);
    }
    const int failed = exo_contract_main(console_text);
    end_run(failed == 0 ? hal::PowerOff::success : hal::PowerOff::failure);
}

void calibrate_thread(void*) { end_run(calibrate_run() ? hal::PowerOff::success : hal::PowerOff::failure); }

void idle_thread(void*) { log("scenario=idle: nothing to do\n"); }

void panic_thread(void*) { EXO_ASSERT(!"scenario=panic"); }

void unknown_thread(void*) {
    log("no such scenario; there are tour, stress, contract, calibrate, idle, panic\n");
    end_run(hal::PowerOff::failure);
}

struct Scenario {
    std::string_view name;
    void (*main)(void*);
};
constexpr Scenario scenarios[] = {{"tour", tour_thread},         {"stress", stress_thread},
                                  {"contract", contract_thread}, {"calibrate", calibrate_thread},
                                  {"idle", idle_thread},         {"panic", panic_thread}};

}  // namespace

std::string_view option(std::string_view command_line, std::string_view key, std::string_view otherwise) {
    while (!command_line.empty()) {
        const std::size_t blank = command_line.find(' ');
        const std::string_view word = command_line.substr(0, blank);
        command_line = blank == std::string_view::npos ? std::string_view() : command_line.substr(blank + 1);
        if (word.size() > key.size() && word.starts_with(key) && word[key.size()] == '=')
            return word.substr(key.size() + 1);
    }
    return otherwise;
}

Result<> scenario_start(std::string_view command_line) {
    line = command_line;
    const std::string_view wanted = option(command_line, "scenario", "tour");
    void (*main)(void*) = unknown_thread;
    for (const Scenario& scenario : scenarios)
        if (scenario.name == wanted) main = scenario.main;
    EXO_TRY(thread_create("scenario", priority_kernel, main, nullptr));
    return {};
}

}  // namespace exo
