// SPDX-License-Identifier: GPL-2.0-or-later
// One layer after another on the same guests, in turns. A run of the guest that ends at once is taken off each: what is
// left is from kernel entry to the end, for QEMU alone too, which tells nobody when the kernel is entered.
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <devenv/commands/empty_sink.hpp>
#include <devenv/commands/stream_bench.hpp>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/signals.hpp>
#include <filesystem>
#include <sim/qemu/benchmark.hpp>
#include <sim/qemu/engine.hpp>
#include <sim/timing/model.hpp>
#include <sim/trace/profile.hpp>
#include <sim/trace/trace.hpp>
#include <sim/unicorn/benchmark.hpp>

namespace devenv {

namespace {

enum class Layer : unsigned { bare, plugin, events, timing, profile, trace };
constexpr unsigned layer_count = 6;
constexpr const char* titles[layer_count] = {"QEMU alone", "plugin, stream thrown away", "events to an empty sink",
                                             "+ timing",   "+ timing, profile",          "+ timing, profile, trace"};

// Seconds. `qemu` is of all children that were waited for, guards included, which do next to nothing.
struct Took {
    double wall = 0, qemu = 0, exo_dev = 0;

    static Took now() {
        rusage children{};
        getrusage(RUSAGE_CHILDREN, &children);
        return {read(CLOCK_MONOTONIC), seconds(children.ru_utime) + seconds(children.ru_stime),
                read(CLOCK_PROCESS_CPUTIME_ID)};
    }
    Took operator-(const Took& o) const { return {wall - o.wall, qemu - o.qemu, exo_dev - o.exo_dev}; }

  private:
    static double seconds(const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    }
    static double read(clockid_t clock) {
        timespec at{};
        clock_gettime(clock, &at);
        return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
    }
};

struct Guest {
    const sim::Image& image;
    std::uint64_t instructions = 0;
};

struct Samples {
    std::vector<StreamSpeed> loop, whole;
};

sim::RunConfig configure(const sim::Image& image) {
    sim::RunConfig config;
    config.image = &image;
    config.command_line = "seed=0";
    config.stop = &stop_requested();
    return config;
}

std::uint64_t run_engine(sim::RunConfig config) {
    const sim::RunResult result = sim::make_qemu_engine(environment().qemu_plugin())->run(config);
    if (result.stop == sim::StopReason::interrupted) throw Failure(Exit::interrupted, "interrupted");
    if (result.stop != sim::StopReason::power_off) {
        throw Failure(Exit::guest_failed, config.image->name() + " does not run to its end in QEMU: " +
                                              std::string(sim::name(result.stop)) + ", " + result.detail);
    }
    return result.instructions;
}

// The pipeline's parts are made and finished outside of what is timed.
Took run(const sim::Image& image, Layer layer) {
    sim::RunConfig config = configure(image);
    const auto model = sim::make_model(sim::default_cpu_model);
    const auto profile = layer >= Layer::profile ? sim::make_profile(image) : nullptr;
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / ("exo-dev-bench-" + std::to_string(getpid()) + ".trace");
    const auto writer = layer == Layer::trace ? sim::make_trace_writer(file, {}, image) : nullptr;
    EmptySink empty;
    const auto pipeline = sim::make_pipeline(*model, profile.get(), writer.get());
    config.events = layer >= Layer::timing ? pipeline.get() : static_cast<sim::EventSink*>(&empty);

    const Took start = Took::now();
    if (layer >= Layer::events) {
        run_engine(config);
    } else {
        const auto raw = layer == Layer::bare ? sim::qemu::RawLayer::bare : sim::qemu::RawLayer::plugin;
        if (!sim::qemu::run_raw(config, raw, environment().qemu_plugin()))
            throw Failure(Exit::interrupted, "interrupted");
    }
    return Took::now() - start;
}

void sample(const Guest& guest, Layer layer, const Took& start_up, std::vector<StreamSpeed>& samples) {
    const Took took = run(guest.image, layer) - start_up;
    if (took.wall <= 0 || took.qemu <= 0) return;
    const double millions = static_cast<double>(guest.instructions) / 1e6;
    StreamSpeed speed{millions / took.wall, millions / took.qemu, std::nullopt};
    if (layer != Layer::bare && took.exo_dev > 0) speed.exo_dev = millions / took.exo_dev;
    samples.push_back(speed);
}

double middle(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

std::optional<StreamSpeed> median(const std::vector<StreamSpeed>& samples) {
    if (samples.empty()) return std::nullopt;
    std::vector<double> wall, qemu, exo_dev;
    for (const StreamSpeed& s : samples) {
        wall.push_back(s.wall);
        qemu.push_back(s.qemu);
        if (s.exo_dev) exo_dev.push_back(*s.exo_dev);
    }
    StreamSpeed result{middle(wall), middle(qemu), std::nullopt};
    if (!exo_dev.empty()) result.exo_dev = middle(exo_dev);
    return result;
}

}  // namespace

StreamReport stream_bench(const sim::Image& image, unsigned batches, bool quick) {
    StreamReport report;
    const auto nothing = sim::unicorn::benchmark_guest(1);
    // QEMU alone runs so fast that its loop must be longer to be told from its start-up.
    const auto loop = sim::unicorn::benchmark_guest(quick ? 200'000 : 1'000'000),
               long_loop = sim::unicorn::benchmark_guest(quick ? 4'000'000 : 20'000'000);
    Samples samples[layer_count];
    std::vector<double> start_ups;
    try {
        const Guest whole{image, run_engine(configure(image))};
        const Guest short_one{*loop, sim::unicorn::RawRun(*loop, sim::unicorn::RawHook::counting).run()};
        const Guest long_one{*long_loop, short_one.instructions * 20};
        for (unsigned batch = 0; batch < batches; ++batch) {
            for (unsigned i = 0; i < layer_count; ++i) {
                const Layer layer{i};
                const Took start_up = run(*nothing, layer);
                start_ups.push_back(start_up.wall);
                sample(layer == Layer::bare ? long_one : short_one, layer, start_up, samples[i].loop);
                sample(whole, layer, start_up, samples[i].whole);
            }
        }
    } catch (const sim::EngineError& error) {
        report.missing = error.what();
        return report;
    }
    report.start_up_s = middle(start_ups);
    for (unsigned i = 0; i < layer_count; ++i)
        report.rows.push_back(
            {titles[i], median(samples[i].loop), median(samples[i].whole), Layer{i} >= Layer::timing});
    return report;
}

}  // namespace devenv
