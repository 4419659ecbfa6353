// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <devenv/validation/shapes.hpp>

namespace devenv {

namespace {

constexpr std::uint64_t kib = 1024, mib = 1024 * kib, line = 64, page = 4 * kib;
constexpr std::uint64_t fewest = 20000;  // loads of a batch

Loop chase_over(std::uint64_t bytes) {
    return {.id = {},
            .title = {},
            .code = chase_code,
            .data = LoopData::chase,
            .bytes = bytes,
            .parameter = line,
            .count = std::max(bytes / line, fewest)};
}

// A line in each page, none of them in the same set as the one before.
Loop chase_pages(std::uint64_t pages) {
    return {.id = {},
            .title = {},
            .code = chase_code,
            .data = LoopData::chase,
            .bytes = pages * (page + line),
            .parameter = page + line,
            .count = std::max(pages, fewest),
            .small_pages = true};
}

Loop stride(std::uint64_t bytes) {
    constexpr std::uint64_t set = 64 * mib;
    return {.id = {},
            .title = {},
            .code = walk_code,
            .data = LoopData::zeros,
            .bytes = set,
            .parameter = bytes,
            .count = std::clamp(set / bytes, fewest, std::uint64_t{1} << 20)};
}

// Stacks of two pages, a few lines further each so that they do not all lie in the same sets.
Loop threads(std::uint64_t count) {
    constexpr std::uint64_t apart = 2 * page + 3 * line;
    return {.id = {},
            .title = {},
            .code = switch_code,
            .data = LoopData::threads,
            .bytes = count * apart,
            .parameter = apart,
            .count = std::max(2 * count, fewest),
            .small_pages = true};
}

std::vector<std::uint64_t> powers(std::uint64_t from, std::uint64_t to) {
    std::vector<std::uint64_t> steps;
    for (std::uint64_t at = from; at <= to; at *= 2) {
        steps.push_back(at);
        if (at * 3 / 2 <= to) steps.push_back(at * 3 / 2);
    }
    return steps;
}

}  // namespace

std::vector<Shape> measure_shapes(const std::string& cpu, bool natively,
                                  const std::function<void(std::string_view)>& progress) {
    struct Series {
        Shape shape;
        Loop (*loop)(std::uint64_t);
        std::vector<std::uint64_t> at;
    };
    Series all[] = {
        {{"working-set", "pointer chase by size, pages of 2 MiB", "bytes", {}}, chase_over, powers(8 * kib, 64 * mib)},
        {{"pages", "pointer chase, one line a page of 4 KiB", "pages", {}}, chase_pages, powers(16, 16384)},
        {{"stride", "independent loads over 64 MiB by stride", "bytes", {}},
         stride,
         {8, 16, 32, 64, 128, 256, 512, 1 * kib, 2 * kib, 4 * kib, 8 * kib, 16 * kib}},
        {{"threads", "switch between threads, each with its stack", "threads", {}},
         threads,
         {1, 2, 5, 10, 20, 35, 50, 70, 100, 150, 200, 350, 500, 700, 1000, 1500, 2000, 3500, 5000, 7000, 10000}}};
    std::vector<Shape> shapes;
    for (Series& series : all) {
        progress(series.shape.id);
        for (const std::uint64_t at : series.at) {
            const Loop loop = series.loop(at);
            ShapePoint& point = series.shape.points.emplace_back();
            point.at = at;
            double instructions = 0;
            if (natively) point.measured = time_loop(loop, 0.05).cycles;
            if (!cpu.empty()) point.modelled = model_loop(loop, cpu, instructions);
            if (stop_requested()) throw Failure(Exit::interrupted, "interrupted");
        }
        shapes.push_back(std::move(series.shape));
    }
    return shapes;
}

}  // namespace devenv
