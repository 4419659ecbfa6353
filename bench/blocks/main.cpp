// SPDX-License-Identifier: MIT
// exo-measure: how many core cycles blocks of machine code take on the CPU it runs on. Input: a file with a block a
// line, "HEX INSTRUCTIONS". Several passes over all blocks, until two of a block's agree within 2 %; the lowest value
// on which two do is taken, because neighbours only ever make it slower; passes in which another hardware thread had
// a part of the core do not count. Output: a line a block in the input's order,
// "INDEX ok CYCLES SPREAD PAGES PASSES LOOP SPREAD" or "INDEX failed REASON". Whoever calls it has checked that the
// blocks hold neither branches nor system instructions; docs in block.hpp say what happens if they do. Exit status: 0
// done, 1 not pinned or output lost, 2 usage.
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

struct Settled {
    double cycles = 0, spread = -1;  // below 0: no two passes agree
};

struct Block {
    std::vector<std::uint8_t> code;
    unsigned instructions = 0;
    std::vector<bench::BlockTime> passes;
    std::string failure;
    unsigned failures = 0, pages = 0;
    Settled unrolled, loop;
    bool settled() const { return unrolled.spread >= 0 && loop.spread >= 0; }
};

constexpr double agreement = 0.02;
// A few thousandths of a cycle an iteration are the clock's own grain: nops take so little.
constexpr double grain_cycles = 0.01;
// A pass counts if the core was this thread's own as much as it ever was, not shared with another hardware thread.
constexpr double own_core = 0.9;
double best_width = 0;

// Of many short readings, of which an interrupt spoils some in either direction.
double usual_best_width() {
    std::vector<double> widths(200);
    for (double& width : widths) width = bench::core_width();
    std::sort(widths.begin(), widths.end());
    return widths[widths.size() * 9 / 10];
}

bool undisturbed(const bench::BlockTime& pass) { return pass.width >= own_core * best_width; }

// The lowest value on which two undisturbed passes agree.
Settled settle(const std::vector<bench::BlockTime>& passes, double bench::BlockTime::*value) {
    std::vector<double> sorted;
    for (const bench::BlockTime& pass : passes)
        if (undisturbed(pass)) sorted.push_back(pass.*value);
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i + 1 < sorted.size(); ++i) {
        const double gap = sorted[i + 1] - sorted[i];
        if (sorted[i] <= 0 || gap > std::max(agreement * sorted[i], grain_cycles)) continue;
        return {sorted[i], gap / sorted[i]};
    }
    return {};
}

void settle(Block& block) {
    block.unrolled = settle(block.passes, &bench::BlockTime::cycles);
    block.loop = settle(block.passes, &bench::BlockTime::loop_cycles);
}

void run_pass(Block& block, unsigned limit_s) {
    constexpr unsigned most_failures = 2;  // a fault is a fault; a time limit may be a busy machine's
    if (block.failures >= most_failures) return;
    const bench::BlockTime time = bench::measure_block(block.code, block.instructions, limit_s, own_core * best_width);
    block.failure = time.failure;
    if (!time.failure.empty()) {
        ++block.failures;
        return;
    }
    block.pages = time.pages;
    block.passes.push_back(time);
    best_width = std::max(best_width, time.width);
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

cpu_set_t at_first;  // processors that this process may use

bool pin(long processor) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<int>(processor < 0 ? sched_getcpu() : processor), &cpus);
    return sched_setaffinity(0, sizeof cpus, &cpus) == 0;
}

// To another processor that the process was allowed at first, if there is one.
void leave_processor() {
    const int now = sched_getcpu();
    for (int i = 1; i < CPU_SETSIZE; ++i)
        if (const int next = (now + i) % CPU_SETSIZE; CPU_ISSET(next, &at_first) && pin(next)) return;
}

void print(const Block& block, std::size_t index) {
    const auto own = std::count_if(block.passes.begin(), block.passes.end(), undisturbed);
    if (block.settled())
        printf("%zu ok %.4f %.4f %u %zu %.4f %.4f\n", index, block.unrolled.cycles, block.unrolled.spread, block.pages,
               block.passes.size(), block.loop.cycles, block.loop.spread);
    else if (!block.failure.empty()) printf("%zu failed %s\n", index, block.failure.c_str());
    else if (own < 2) printf("%zu failed unstable: another hardware thread shares the core\n", index);
    else printf("%zu failed unstable: no two of %zd passes agree within 2 %%\n", index, ssize_t(own));
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
    if (sched_getaffinity(0, sizeof at_first, &at_first) != 0) CPU_ZERO(&at_first);
    if (!pin(processor)) {
        fprintf(stderr, "exo-measure: cannot stay on processor %ld: %s\n", processor, strerror(errno));
        return 1;
    }
    best_width = usual_best_width();
    // Passes that were disturbed are made again, some times.
    constexpr unsigned most_repeats = 3;
    for (unsigned pass = 0, counted = 0; pass < most_repeats * passes && counted < passes; ++pass) {
        std::size_t disturbed = 0, open = 0;
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            Block& block = blocks[i];
            settle(block);  // what was good before may not be beside what has been seen since
            if (block.settled()) continue;
            run_pass(block, limit_s);
            ++open;
            if (!block.passes.empty() && !undisturbed(block.passes.back())) {
                ++disturbed;
                if (processor < 0) leave_processor();
            }
            if (i % 64 == 63) fprintf(stderr, "pass %u, block %zu of %zu\n", pass + 1, i + 1, blocks.size());
        }
        counted += disturbed * 2 <= open;
    }
    for (Block& block : blocks) settle(block);
    for (std::size_t i = 0; i < blocks.size(); ++i) print(blocks[i], i);
    return fflush(stdout) == 0 ? 0 : 1;
}
