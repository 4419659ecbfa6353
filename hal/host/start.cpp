// SPDX-License-Identifier: MIT
// The main program of a kernel in a Linux process.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <hal/smp.hpp>
#include <hal/upcalls.hpp>
#include <system_error>

#include "machine.hpp"

namespace hal {
namespace {

constexpr std::uint64_t min_memory_mib = 4, max_memory_mib = 64 * 1024;

bool parse(const char* text, std::uint64_t low, std::uint64_t high, std::uint64_t& out) {
    const char* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, out);
    return error == std::errc{} && stop == end && out >= low && out <= high;
}

int usage(const char* program, const char* why) {
    if (why) fprintf(stderr, "%s: %s\n", program, why);
    fprintf(why ? stderr : stdout,
            "usage: %s [--cmdline TEXT] [--memory MiB (4..65536, default 64)] [--seed N] [--cpus N (1..64)]\n"
            "Runs the kernel in this process. Exit status: 0 powered off, 2 usage, 3 the kernel failed.\n",
            program);
    return why ? 2 : 0;
}

// Fills the configuration; a value >= 0 is an exit status.
int read_options(int argc, char** argv, HostConfig& config) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--help") return usage(argv[0], nullptr);
        if (i + 1 == argc) return usage(argv[0], "unknown option, or an option without its value");
        const char* value = argv[++i];
        std::uint64_t number = 0;
        if (option == "--cmdline") {
            config.command_line = value;
        } else if (option == "--memory") {
            if (!parse(value, min_memory_mib, max_memory_mib, number))
                return usage(argv[0], "--memory is out of range");
            config.memory_bytes = number << 20;
        } else if (option == "--seed") {
            if (!parse(value, 0, ~std::uint64_t{0}, number)) return usage(argv[0], "--seed needs a number");
            config.seed = number;
        } else if (option == "--cpus") {
            if (!parse(value, 1, cpus_limit, number)) return usage(argv[0], "--cpus is out of range");
            config.cpus = unsigned(number);
        } else {
            return usage(argv[0], "unknown option");
        }
    }
    return -1;
}

void enter_kernel(void* machine) { kernel_main(static_cast<HostMachine*>(machine)->boot_info()); }

}  // namespace

int host_main(int argc, char** argv) {
    HostConfig config;
    if (const int status = read_options(argc, argv, config); status >= 0) return status;
    try {
        HostMachine machine(std::move(config));
        return machine.run(&enter_kernel, &machine) == PowerOff::success ? 0 : 3;
    } catch (const std::system_error& error) {
        fprintf(stderr, "%s: %s; try a smaller --memory\n", argv[0], error.what());
        return 2;
    }
}

}  // namespace hal
