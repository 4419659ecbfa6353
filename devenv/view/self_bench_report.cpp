// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <devenv/view/format.hpp>
#include <devenv/view/self_bench_report.hpp>
#include <devenv/view/table.hpp>

namespace devenv {

namespace {

struct Workload {
    const char *key, *title;
    std::optional<Speed> SelfBenchRow::*speed;
    double bar;  // M instructions/s with all layers; 0: none
};
constexpr std::array workloads = {
    Workload{"loop", "hot loop (22 instructions, 10 accesses, data not executable)", &SelfBenchRow::loop, 0},
    Workload{"image_loops", "the image's hot loops (windows of marks that repeat)", &SelfBenchRow::windows, 15},
    Workload{"image", "the whole image", &SelfBenchRow::whole, 8}};

// What ratios are to: the first row that could run the workload.
const Speed* reference(const SelfBenchReport& report, const Workload& workload) {
    for (const SelfBenchRow& row : report.rows) {
        if (const auto& speed = row.*workload.speed) return &*speed;
    }
    return nullptr;
}

const Speed* with_all_layers(const SelfBenchReport& report, const Workload& workload) {
    if (report.rows.empty()) return nullptr;
    const auto& speed = report.rows.back().*workload.speed;
    return speed ? &*speed : nullptr;
}

std::string bar_text(const SelfBenchReport& report, const Workload& workload) {
    const Speed* speed = with_all_layers(report, workload);
    if (!speed || workload.bar == 0) return "";
    return "  bar " + decimal(workload.bar, 0) + ": " + (speed->cpu >= workload.bar ? "met" : "not met") + " (" +
           decimal(speed->cpu, 1) + " M/s of CPU time with all layers)\n";
}

}  // namespace

std::string self_bench_text(const SelfBenchReport& report, const Style& style) {
    std::string out;
    for (const Workload& workload : workloads) {
        const Speed* first = reference(report, workload);
        Table table({{"layers", Align::left}, {"M/s wall"}, {"M/s CPU"}, {"ratio (CPU)"}});
        for (const SelfBenchRow& row : report.rows) {
            const auto& speed = row.*workload.speed;
            if (speed) {
                table.row(
                    {row.layers, decimal(speed->wall, 1), decimal(speed->cpu, 1), decimal(speed->cpu / first->cpu, 3)});
            } else {
                table.row({row.layers, "-", "-", "-"});
            }
        }
        out += "  " + style.bold(workload.title) + "\n" + table.text(style) + bar_text(report, workload) + "\n";
    }
    out += stream_bench_text(report.qemu, style);
    std::string names;
    for (const std::string& name : report.hot_marks) names += (names.empty() ? "" : ", ") + name;
    return out + "  M instructions/s, medians of " + std::to_string(report.batches) +
           " interleaved runs; ratio to the first row of its table\n  marks that repeat: " +
           (names.empty() ? "none" : names) + "\n";
}

Json self_bench_json(const SelfBenchReport& report) {
    Json json = {{"schema", report_schema},       {"unit", "M instructions/s"}, {"batches", report.batches},
                 {"hot_marks", report.hot_marks}, {"rows", Json::array()},      {"bars", Json::array()}};
    for (const SelfBenchRow& row : report.rows) {
        Json entry = {{"layers", row.layers}};
        for (const Workload& workload : workloads) {
            entry[workload.key] = nullptr;
            if (const auto& speed = row.*workload.speed) {
                entry[workload.key] = {{"wall", speed->wall},
                                       {"cpu", speed->cpu},
                                       {"ratio", speed->cpu / reference(report, workload)->cpu}};
            }
        }
        json["rows"].push_back(std::move(entry));
    }
    for (const Workload& workload : workloads) {
        const Speed* speed = with_all_layers(report, workload);
        if (!speed || workload.bar == 0) continue;
        json["bars"].push_back({{"workload", workload.key},
                                {"bar", workload.bar},
                                {"cpu", speed->cpu},
                                {"met", speed->cpu >= workload.bar}});
    }
    json["qemu"] = stream_bench_json(report.qemu);
    return json;
}

}  // namespace devenv
