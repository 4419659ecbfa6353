// SPDX-License-Identifier: GPL-2.0-or-later
// Streams of equal steps through a page: after two steps to the next line or three of another size, forwards or
// backwards, lines are asked for, further ahead the longer it goes on. A prefetcher works on physical addresses and
// never leaves its 4 KiB page.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

namespace sim::timing {

class StreamPrefetcher {
  public:
    explicit StreamPrefetcher(unsigned most_lines_ahead) : most_(static_cast<int>(most_lines_ahead)) {}

    // A miss on this line, or the first use of one that was prefetched. Calls ask(line) for each line to prefetch.
    template <class Ask>
    void observe(std::uint64_t line, const Ask& ask) {
        const std::uint64_t page = line / lines;
        const int at = static_cast<int>(line % lines);
        Stream& stream = streams_[page * 0x9e3779b97f4a7c15ull >> (64 - stream_bits)];
        if (stream.page != page) {
            stream = {page, at, 0, 0, at};
            return;
        }
        const int step = at - stream.last;
        if (step == 0) return;
        stream.last = at;
        if (step != stream.step) {
            stream.step = step, stream.steps = 1, stream.asked = at;
            return;
        }
        stream.steps = std::min(stream.steps + 1, 6);
        if (stream.steps < 3 && std::abs(step) != 1) return;
        const bool behind = step > 0 ? stream.asked < at : stream.asked > at;
        if (behind) stream.asked = at;
        const int ahead = std::min(most_, 1 << stream.steps);  // in steps, then no further than as many lines
        for (int burst = 0; burst < 8; ++burst) {
            const int next = stream.asked + step;
            if (next < 0 || next >= int{lines} || std::abs(next - at) > ahead * std::abs(step)) return;
            stream.asked = next;
            ask(page * lines + static_cast<unsigned>(next));
        }
    }

  private:
    static constexpr unsigned lines = 64, stream_bits = 6;
    struct Stream {
        std::uint64_t page = ~0ull;
        int last = 0, step = 0, steps = 0, asked = 0;
    };
    int most_;
    std::array<Stream, 1u << stream_bits> streams_{};
};

}  // namespace sim::timing
