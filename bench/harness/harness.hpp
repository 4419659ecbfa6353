// SPDX-License-Identifier: MIT
// A row compares one operation of this kernel with the same work done by its peers: batches interleaved A B A B in one
// run, each scaled to core cycles by its own calibration, each proving by a checksum that the work was done.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

// Does `operations` operations and returns a checksum of what they produced.
using Body = std::function<std::uint64_t(std::uint64_t operations)>;

struct Contender {
    std::string name;
    std::uint64_t operations;  // a batch; enough that it lasts thousands of ticks
    Body body;
    std::function<std::uint64_t(std::uint64_t operations)> expected;  // the checksum of a batch that did its work
};

struct RowText {
    std::string id, title, domain, placement, note;
};

struct Spread {
    double min = 0, median = 0, p99 = 0;  // core cycles an operation; each batch's mean is one value
    unsigned batches = 0;
};

struct RowResult {
    RowText text;
    Spread exo;
    struct Peer {
        std::string name;
        Spread spread;
    };
    std::vector<Peer> peers;
    std::string failure;  // empty: every checksum was right
};

struct Effort {
    unsigned batches = 201;
    std::uint64_t divide_operations = 1;
    bool traced = false;  // for exo-dev validate, which steps through contenders[0] between its breakpoints
};
inline constexpr Effort full_effort{201, 1}, quick_effort{5, 50};

// contenders[0] is this kernel's. Blocks for as long as it takes.
RowResult measure(RowText, const std::vector<Contender>& contenders, const Effort&);

// The whole report as JSON, schema 1.
std::string to_json(const std::vector<RowResult>&);

}  // namespace bench
