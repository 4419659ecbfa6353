// SPDX-License-Identifier: GPL-2.0-or-later
// One layer after another is put on the same guest, in turns, so that a busy machine slows all of them alike and the
// ratios hold. Three workloads: a hot loop that even the bare library can run, the whole image, and of the image's run
// the windows of those marks that repeat (its hot loops).
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <devenv/commands/empty_sink.hpp>
#include <devenv/commands/self_bench.hpp>
#include <devenv/commands/stream_bench.hpp>
#include <devenv/environment.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/self_bench_report.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <sim/engine.hpp>
#include <sim/timing/model.hpp>
#include <sim/trace/profile.hpp>
#include <sim/trace/trace.hpp>
#include <sim/unicorn/benchmark.hpp>

namespace devenv {

namespace {

enum class Layer { bare, counting, engine, events, timing, profile, trace };
constexpr Layer layers[] = {Layer::bare,   Layer::counting, Layer::engine, Layer::events,
                            Layer::timing, Layer::profile,  Layer::trace};

const char* title(Layer layer) {
    switch (layer) {
        case Layer::bare:
            return "no hooks";
        case Layer::counting:
            return "bare hook that counts";
        case Layer::engine:
            return "engine without events";
        case Layer::events:
            return "events to an empty sink";
        case Layer::timing:
            return "+ timing";
        case Layer::profile:
            return "+ timing, profile";
        case Layer::trace:
            return "+ timing, profile, trace";
    }
    return "";
}

struct Clocks {
    double wall_s, cpu_s;  // cpu: of all threads of this process

    static Clocks now() { return {read(CLOCK_MONOTONIC), read(CLOCK_PROCESS_CPUTIME_ID)}; }
    Clocks operator-(const Clocks& start) const { return {wall_s - start.wall_s, cpu_s - start.cpu_s}; }

  private:
    static double read(clockid_t clock) {
        timespec at{};
        clock_gettime(clock, &at);
        return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
    }
};

std::optional<Speed> speed(std::uint64_t instructions, const Clocks& took) {
    if (instructions == 0 || took.wall_s <= 0 || took.cpu_s <= 0) return std::nullopt;
    const double millions = static_cast<double>(instructions) / 1e6;
    return Speed{millions / took.wall_s, millions / took.cpu_s};
}

// Times the windows of the given marks. The clocks are read at blocks that hold such a mark and nowhere else.
class WindowMeter final : public sim::EventSink {
  public:
    WindowMeter(const sim::Image& image, const std::set<std::string>& names, sim::EventSink& next) : next_(next) {
        for (const sim::Mark& mark : image.marks()) {
            if (names.contains(mark.name)) edges_[mark.address] = mark.kind;
        }
    }
    void on_code(const sim::CodeBlock& code) override {
        next_.on_code(code);
        if (kinds_.size() <= code.id) kinds_.resize(code.id + 1, Edge::none);
        for (const sim::Instruction& i : code.instructions) {
            const auto edge = edges_.find(i.address);
            if (edge == edges_.end()) continue;
            kinds_[code.id] = edge->second == exo::abi::MarkKind::end ? Edge::end : Edge::begin;
        }
    }
    void on_block(const sim::Block& block) override {
        const Edge edge = kinds_[block.code->id];
        if (edge == Edge::begin && !inside_) {
            inside_ = true;
            start_index_ = block.first_index;
            start_ = Clocks::now();
        }
        next_.on_block(block);
        if (edge == Edge::end && inside_) {
            const Clocks took = Clocks::now() - start_;
            inside_ = false;
            total_.wall_s += took.wall_s;
            total_.cpu_s += took.cpu_s;
            instructions_ += block.first_index + block.count - start_index_;
        }
    }
    void on_input(const sim::Input& e) override { next_.on_input(e); }
    void on_control(const sim::Control& e) override { next_.on_control(e); }
    void on_transfer(const sim::Transfer& e) override { next_.on_transfer(e); }
    void on_halt(const sim::Halt& e) override { next_.on_halt(e); }
    std::optional<Speed> result() const { return speed(instructions_, total_); }

  private:
    enum class Edge : std::uint8_t { none, begin, end };
    sim::EventSink& next_;
    std::map<std::uint64_t, exo::abi::MarkKind> edges_;
    std::vector<Edge> kinds_;  // by code id
    bool inside_ = false;
    Clocks start_{}, total_{};
    std::uint64_t start_index_ = 0, instructions_ = 0;
};

sim::RunConfig configure(const sim::Image& image) {
    sim::RunConfig config;
    config.image = &image;
    config.entry = sim::BootProtocol::direct;
    config.command_line = "seed=0";
    config.instruction_limit = 500'000'000;
    config.stop = &stop_requested();
    return config;
}

struct EngineSpeed {
    std::optional<Speed> whole, windows;
};

EngineSpeed run_engine(const sim::Image& image, Layer layer, const std::set<std::string>& marks) {
    const auto engine = sim::make_unicorn_engine();
    sim::RunConfig config = configure(image);
    const auto model = sim::make_model(sim::default_cpu_model);
    const auto profile = layer >= Layer::profile ? sim::make_profile(image) : nullptr;
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / ("exo-dev-bench-" + std::to_string(getpid()) + ".trace");
    const auto writer = layer == Layer::trace ? sim::make_trace_writer(file, {}, image) : nullptr;
    EmptySink empty;
    const auto pipeline = layer >= Layer::timing ? sim::make_pipeline(*model, profile.get(), writer.get()) : nullptr;
    sim::EventSink& sink = pipeline ? *pipeline : static_cast<sim::EventSink&>(empty);
    WindowMeter meter(image, marks, sink);
    if (layer > Layer::engine) config.events = marks.empty() ? &sink : &meter;

    const Clocks start = Clocks::now();
    const sim::RunResult result = engine->run(config);
    const Clocks took = Clocks::now() - start;
    if (result.stop == sim::StopReason::interrupted) throw Failure(Exit::interrupted, "interrupted");
    if (result.stop != sim::StopReason::power_off) {
        throw Failure(Exit::guest_failed, image.name() + " does not run to its end: " +
                                              std::string(sim::name(result.stop)) + ", " + result.detail);
    }
    return {speed(result.instructions, took), meter.result()};
}

std::optional<Speed> run_raw(const sim::Image& guest, sim::unicorn::RawHook hook, std::uint64_t instructions) {
    sim::unicorn::RawRun raw(guest, hook);
    const Clocks start = Clocks::now();
    raw.run();
    const Clocks took = Clocks::now() - start;
    if (interrupted()) throw Failure(Exit::interrupted, "interrupted");
    return speed(instructions, took);
}

// The marks inside the image's loops: those that repeat.
std::set<std::string> find_hot_marks(const sim::Image& image) {
    const auto engine = sim::make_unicorn_engine();
    const auto model = sim::make_model(sim::default_cpu_model);
    const auto profile = sim::make_profile(image);
    const auto pipeline = sim::make_pipeline(*model, profile.get(), nullptr);
    sim::RunConfig config = configure(image);
    config.events = pipeline.get();
    engine->run(config);
    std::set<std::string> names;
    for (const sim::MarkSummary& mark : profile->marks()) {
        if (mark.count >= 100) names.insert(mark.name);
    }
    return names;
}

struct Samples {
    std::vector<Speed> loop, windows, whole;
};

std::optional<Speed> median(const std::vector<Speed>& samples) {
    if (samples.empty()) return std::nullopt;
    const auto middle = [&samples](double Speed::*member) {
        std::vector<double> values;
        for (const Speed& s : samples) values.push_back(s.*member);
        std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
        return values[values.size() / 2];
    };
    return Speed{middle(&Speed::wall), middle(&Speed::cpu)};
}

void sample(Layer layer, const sim::Image& loop, std::uint64_t loop_instructions, const sim::Image& image,
            const std::set<std::string>& hot_marks, Samples& samples) {
    const auto keep = [](std::vector<Speed>& list, const std::optional<Speed>& value) {
        if (value) list.push_back(*value);
    };
    if (layer <= Layer::counting) {
        const auto hook = layer == Layer::bare ? sim::unicorn::RawHook::none : sim::unicorn::RawHook::counting;
        return keep(samples.loop, run_raw(loop, hook, loop_instructions));
    }
    keep(samples.loop, run_engine(loop, layer, {}).whole);
    const EngineSpeed of_image = run_engine(image, layer, hot_marks);
    keep(samples.whole, of_image.whole);
    keep(samples.windows, of_image.windows);
}

}  // namespace

Exit self_bench(const SelfBenchOptions& options) {
    const auto image = sim::Image::load(options.kernel.empty() ? environment().kernel().string() : options.kernel);
    const auto loop = sim::unicorn::benchmark_guest(options.quick ? 20'000 : 1'000'000);
    const std::uint64_t loop_instructions = sim::unicorn::RawRun(*loop, sim::unicorn::RawHook::counting).run();
    SelfBenchReport report;
    report.batches = options.quick ? 1 : 5;
    report.hot_marks = find_hot_marks(*image);
    std::map<Layer, Samples> samples;
    for (unsigned batch = 0; batch < report.batches; ++batch) {
        for (const Layer layer : layers)
            sample(layer, *loop, loop_instructions, *image, report.hot_marks, samples[layer]);
    }
    for (const Layer layer : layers) {
        const Samples& s = samples[layer];
        report.rows.push_back({title(layer), median(s.loop), median(s.windows), median(s.whole)});
    }
    report.qemu = stream_bench(*image, report.batches, options.quick);
    standard_output().write(options.json ? json_document(self_bench_json(report))
                                         : self_bench_text(report, style_for(STDOUT_FILENO)));
    return Exit::done;
}

}  // namespace devenv
