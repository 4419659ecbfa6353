// SPDX-License-Identifier: GPL-2.0-or-later
// One layer after another is put on the same run of the same image, in turns, so that a busy machine slows all of them
// alike and the ratios hold.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <devenv/commands/self_bench.hpp>
#include <devenv/environment.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/table.hpp>
#include <filesystem>
#include <map>
#include <set>
#include <sim/engine.hpp>
#include <sim/timing/model.hpp>
#include <sim/trace/profile.hpp>
#include <sim/trace/trace.hpp>

namespace devenv {

namespace {

using SteadyClock = std::chrono::steady_clock;

enum class Layer { engine, events, timing, profile, trace };
constexpr Layer layers[] = {Layer::engine, Layer::events, Layer::timing, Layer::profile, Layer::trace};

const char* title(Layer layer) {
    switch (layer) {
        case Layer::engine:
            return "engine, no events";
        case Layer::events:
            return "events to an empty sink";
        case Layer::timing:
            return "events, timing";
        case Layer::profile:
            return "events, timing, profile";
        case Layer::trace:
            return "events, timing, profile, trace";
    }
    return "";
}

class EmptySink final : public sim::EventSink {
  public:
    void on_code(const sim::CodeBlock&) override {}
    void on_block(const sim::Block&) override {}
    void on_input(const sim::Input&) override {}
    void on_control(const sim::Control&) override {}
    void on_transfer(const sim::Transfer&) override {}
    void on_halt(const sim::Halt&) override {}
};

// Times the windows of the marks that repeat most: the hot loops. The clock is read at blocks that hold such a mark
// and nowhere else.
class HotMeter final : public sim::EventSink {
  public:
    HotMeter(const sim::Image& image, const std::set<std::string>& names, sim::EventSink& next) : next_(next) {
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
            start_ = SteadyClock::now();
            start_index_ = block.first_index;
        }
        next_.on_block(block);
        if (edge == Edge::end && inside_) {
            inside_ = false;
            seconds_ += std::chrono::duration<double>(SteadyClock::now() - start_).count();
            instructions_ += block.first_index + block.count - start_index_;
        }
    }
    void on_input(const sim::Input& e) override { next_.on_input(e); }
    void on_control(const sim::Control& e) override { next_.on_control(e); }
    void on_transfer(const sim::Transfer& e) override { next_.on_transfer(e); }
    void on_halt(const sim::Halt& e) override { next_.on_halt(e); }
    double mips() const { return seconds_ > 0 ? static_cast<double>(instructions_) / seconds_ / 1e6 : 0; }

  private:
    enum class Edge : std::uint8_t { none, begin, end };
    sim::EventSink& next_;
    std::map<std::uint64_t, exo::abi::MarkKind> edges_;
    std::vector<Edge> kinds_;  // by code id
    bool inside_ = false;
    SteadyClock::time_point start_;
    std::uint64_t start_index_ = 0, instructions_ = 0;
    double seconds_ = 0;
};

struct Speed {
    double tour = 0, hot = 0;  // M instructions/s; hot is 0 where it cannot be told
};

sim::RunConfig configure(const sim::Image& image) {
    sim::RunConfig config;
    config.image = &image;
    config.command_line = "seed=0";
    config.instruction_limit = 200'000'000;
    config.stop = &stop_requested();
    return config;
}

Speed run_once(const sim::Image& image, Layer layer, const std::set<std::string>& hot_marks) {
    const auto engine = sim::make_unicorn_engine();
    sim::RunConfig config = configure(image);
    const auto model = sim::make_simple_model();
    const auto profile = layer >= Layer::profile ? sim::make_profile(image) : nullptr;
    const std::filesystem::path file =
        std::filesystem::temp_directory_path() / ("exo-dev-bench-" + std::to_string(getpid()) + ".trace");
    const auto writer = layer == Layer::trace ? sim::make_trace_writer(file, {}, image) : nullptr;
    EmptySink empty;
    const auto pipeline = layer >= Layer::timing ? sim::make_pipeline(*model, profile.get(), writer.get()) : nullptr;
    HotMeter meter(image, hot_marks, pipeline ? *pipeline : static_cast<sim::EventSink&>(empty));
    if (layer != Layer::engine) config.events = &meter;

    const auto start = SteadyClock::now();
    const sim::RunResult result = engine->run(config);
    const std::chrono::duration<double> wall = SteadyClock::now() - start;
    if (result.stop == sim::StopReason::interrupted) throw Failure(Exit::interrupted, "interrupted");
    if (result.stop != sim::StopReason::power_off) {
        throw Failure(Exit::guest_failed, "the image does not run to its end: " + std::string(sim::name(result.stop)));
    }
    return {static_cast<double>(result.instructions) / wall.count() / 1e6, meter.mips()};
}

// The marks inside the tour's loops: those that repeat.
std::set<std::string> find_hot_marks(const sim::Image& image) {
    const auto engine = sim::make_unicorn_engine();
    const auto model = sim::make_simple_model();
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

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0 : values[values.size() / 2];
}

struct Row {
    Layer layer;
    double tour, hot;
};

std::vector<Row> measure(const sim::Image& image, const std::set<std::string>& hot_marks, unsigned batches) {
    std::map<Layer, std::vector<Speed>> samples;
    for (unsigned batch = 0; batch < batches; ++batch) {
        for (const Layer layer : layers) samples[layer].push_back(run_once(image, layer, hot_marks));
    }
    std::vector<Row> rows;
    for (const Layer layer : layers) {
        std::vector<double> tour, hot;
        for (const Speed& speed : samples[layer]) tour.push_back(speed.tour), hot.push_back(speed.hot);
        rows.push_back({layer, median(tour), median(hot)});
    }
    return rows;
}

std::string text(const std::vector<Row>& rows, const std::set<std::string>& hot_marks, unsigned batches,
                 const Style& style) {
    Table table({{"layers", Align::left}, {"whole image, M/s"}, {"ratio"}, {"hot loops, M/s"}, {"ratio"}});
    for (const Row& row : rows) {
        table.row({title(row.layer), decimal(row.tour, 1), decimal(row.tour / rows.front().tour, 2),
                   row.hot > 0 ? decimal(row.hot, 1) : "-", row.hot > 0 ? decimal(row.hot / rows[1].hot, 2) : "-"});
    }
    std::string names;
    for (const std::string& name : hot_marks) names += (names.empty() ? "" : ", ") + name;
    return table.text(style) + "\n  median of " + std::to_string(batches) +
           " interleaved runs; ratios to the first row, of the hot loops to the second\n  hot loops: windows of " +
           names + "\n";
}

Json json(const std::vector<Row>& rows, const std::set<std::string>& hot_marks, unsigned batches) {
    Json report = {{"schema", report_schema},
                   {"unit", "M instructions/s"},
                   {"batches", batches},
                   {"hot_marks", hot_marks},
                   {"rows", Json::array()}};
    for (const Row& row : rows) {
        report["rows"].push_back({{"layers", title(row.layer)},
                                  {"image", row.tour},
                                  {"image_ratio", row.tour / rows.front().tour},
                                  {"hot", row.hot > 0 ? Json(row.hot) : Json(nullptr)},
                                  {"hot_ratio", row.hot > 0 ? Json(row.hot / rows[1].hot) : Json(nullptr)}});
    }
    return report;
}

}  // namespace

Exit self_bench(const SelfBenchOptions& options) {
    const auto image = sim::Image::load(options.kernel.empty() ? environment().kernel().string() : options.kernel);
    const unsigned batches = options.quick ? 1 : 5;
    const std::set<std::string> hot_marks = find_hot_marks(*image);
    const std::vector<Row> rows = measure(*image, hot_marks, batches);
    standard_output().write(options.json ? json_document(json(rows, hot_marks, batches))
                                         : text(rows, hot_marks, batches, style_for(STDOUT_FILENO)));
    return Exit::done;
}

}  // namespace devenv
