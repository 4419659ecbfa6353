// SPDX-License-Identifier: GPL-2.0-or-later
// Streams of equal steps through a page: after two steps to the next line or three of another size, forwards or
// backwards, lines are asked for, further ahead the longer it goes on. A stream that leaves its page goes on in the
// next one in virtual order. Run ahead, it goes there only if it is known where that page lies.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

namespace sim::timing {

class StreamPrefetcher {
  public:
    explicit StreamPrefetcher(unsigned most_lines_ahead) : most_(static_cast<int>(most_lines_ahead)) {}

    // Steps of one and two lines mixed, as of a stride of 96 bytes, are a stream of all lines.
    // A miss on this line (a virtual address / 64), or the first use of one that was prefetched. Calls ask(distance in
    // lines) for each line to prefetch, until it says no: there is no room for it now, or its place is not known.
    template <class Ask>
    void observe(std::uint64_t line, const Ask& ask) {
        const std::uint64_t page = line / lines;
        const int at = static_cast<int>(line % lines);
        Stream& stream = at_page(page);
        if (stream.page != page) {
            const Stream before = at_page(page - 1), after = at_page(page + 1);
            if (before.page == page - 1 && before.runs() && before.step > 0 && before.last + before.step >= lines)
                stream = {page, before.last - lines, before.step, before.steps, before.asked - lines};
            else if (after.page == page + 1 && after.runs() && after.step < 0 && after.last + after.step < 0)
                stream = {page, after.last + lines, after.step, after.steps, after.asked + lines};
            else stream = {page, at, 0, 0, at};
        }
        const int step = at - stream.last;
        if (step == 0) return;
        stream.last = at;
        const bool forwards = step > 0, near = std::abs(step) <= 2;
        if (near && std::abs(stream.step) <= 2 && stream.step != step && stream.step != 0 &&
            forwards == (stream.step > 0)) {
            stream.step = forwards ? 1 : -1;  // a line and two by turns: all lines of the way
        } else if (step != stream.step) {
            stream.step = step, stream.steps = 1, stream.asked = at;
            return;
        }
        stream.steps = std::min(stream.steps + 1, most_steps);
        if (!stream.runs()) return;
        const bool behind = forwards ? stream.asked < at : stream.asked > at;
        if (behind) stream.asked = at;
        const int ahead = std::min(most_, 1 << stream.steps);  // in steps, then no further than as many lines
        for (int burst = 0; burst < 8; ++burst) {
            const int next = stream.asked + stream.step;
            if (std::abs(next - at) > ahead * std::abs(stream.step) || !ask(next - at)) return;
            stream.asked = next;
        }
    }

  private:
    static constexpr int lines = 64, most_steps = 8;
    static constexpr unsigned stream_bits = 6;
    struct Stream {
        std::uint64_t page = ~0ull;
        int last = 0, step = 0, steps = 0, asked = 0;  // lines from the start of the page
        bool runs() const { return steps >= 3 || (steps == 2 && std::abs(step) == 1); }
    };
    Stream& at_page(std::uint64_t page) { return streams_[page * 0x9e3779b97f4a7c15ull >> (64 - stream_bits)]; }

    int most_;
    std::array<Stream, 1u << stream_bits> streams_{};
};

}  // namespace sim::timing
