// SPDX-License-Identifier: MIT
// exo-measure: how many core cycles blocks of machine code take on the CPU it runs on. Input: a file with a block a
// line, "HEX INSTRUCTIONS". Several passes over all blocks, until two of a block's agree within 2 %; the lowest value
// on which two do is taken, because neighbours only ever make it slower. Output: a line a block in the input's order,
// "INDEX ok CYCLES SPREAD PAGES PASSES" or "INDEX failed REASON". Whoever calls it has checked that the blocks hold
// neither branches nor system instructions; docs in block.hpp say what happens if they do.
// Exit status: 0 done, 1 not pinned or output lost, 2 usage.
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "block.hpp"

namespace {

struct Block {
    std::vector<std::uint8_t> code;
    unsigned instructions = 0;
    std::vector<double> passes;
    std::string failure;
    unsigned failures = 0, pages = 0;
    double cycles = 0, spread = -1;  // below 0: no two passes agree yet
};

constexpr double agreement = 0.02;
// A few thousandths of a cycle an iteration are the clock's own grain: nops take so little.
constexpr double grain_cycles = 0.01;

// The lowest value on which two passes agree.
void settle(Block& block) {
    std::vector<double> sorted = block.passes;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i + 1 < sorted.size(); ++i) {
        const double gap = sorted[i + 1] - sorted[i];
        if (sorted[i] <= 0 || gap > std::max(agreement * sorted[i], grain_cycles)) continue;
        block.cycles = sorted[i];
        block.spread = gap / sorted[i];
        return;
    }
}

void run_pass(Block& block, unsigned limit_s) {
    constexpr unsigned most_failures = 2;  // a fault is a fault; a time limit may be a busy machine's
    if (block.failures >= most_failures) return;
    bench::BlockTime time = bench::measure_block(block.code, block.instructions, limit_s);
    block.failure = time.failure;
    if (!time.failure.empty()) {
        ++block.failures;
        return;
    }
    block.pages = time.pages;
    block.passes.push_back(time.cycles);
    settle(block);
}

bool parse(const std::string& line, Block& block) {
    const std::size_t space = line.find(' ');
    if (space == std::string::npos || space == 0 || space % 2) return false;
    for (std::size_t i = 0; i < space; i += 2) {
        const std::string digits = line.substr(i, 2);
        char* end = nullptr;
        block.code.push_back(static_cast<std::uint8_t>(std::strtoul(digits.c_str(), &end, 16)));
        if (*end) return false;
    }
    block.instructions = static_cast<unsigned>(std::strtoul(line.c_str() + space + 1, nullptr, 10));
    return block.instructions > 0;
}

int usage(const char* why) {
    if (why) fprintf(stderr, "exo-measure: %s\n", why);
    fprintf(why ? stderr : stdout, "usage: exo-measure [--passes N] [--processor N] [--limit SECONDS] FILE\n");
    return why ? 2 : 0;
}

bool pin(long processor) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<int>(processor < 0 ? sched_getcpu() : processor), &cpus);
    return sched_setaffinity(0, sizeof cpus, &cpus) == 0;
}

void print(const Block& block, std::size_t index) {
    if (block.spread >= 0)
        printf("%zu ok %.4f %.4f %u %zu\n", index, block.cycles, block.spread, block.pages, block.passes.size());
    else if (!block.failure.empty()) printf("%zu failed %s\n", index, block.failure.c_str());
    else printf("%zu failed unstable: no two of %zu passes agree within 2 %%\n", index, block.passes.size());
}

}  // namespace

int main(int argc, char** argv) {
    unsigned passes = 6, limit_s = 4;
    long processor = -1;
    std::string file;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--help") return usage(nullptr);
        if (option.starts_with("--") && i + 1 == argc) return usage("an option lacks its value");
        if (option == "--passes") passes = static_cast<unsigned>(std::clamp(atoi(argv[++i]), 2, 1000));
        else if (option == "--processor") processor = std::clamp(atol(argv[++i]), 0l, long{CPU_SETSIZE} - 1);
        else if (option == "--limit") limit_s = static_cast<unsigned>(std::clamp(atoi(argv[++i]), 1, 1000));
        else if (option.starts_with("--") || !file.empty()) return usage("unknown option");
        else file = option;
    }
    if (file.empty()) return usage("no file with blocks");
    std::ifstream input(file);
    if (!input) return usage(("cannot read " + file).c_str());
    std::vector<Block> blocks;
    for (std::string line; std::getline(input, line);) {
        if (!parse(line, blocks.emplace_back())) return usage(("no block: " + line).c_str());
    }
    if (!pin(processor)) {
        fprintf(stderr, "exo-measure: cannot stay on processor %ld: %s\n", processor, strerror(errno));
        return 1;
    }
    for (unsigned pass = 0; pass < passes; ++pass) {
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            if (blocks[i].spread >= 0) continue;
            run_pass(blocks[i], limit_s);
            if (i % 64 == 63) fprintf(stderr, "pass %u, block %zu of %zu\n", pass + 1, i + 1, blocks.size());
        }
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) print(blocks[i], i);
    return fflush(stdout) == 0 ? 0 : 1;
}
