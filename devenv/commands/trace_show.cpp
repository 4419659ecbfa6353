// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <devenv/commands/stage_times.hpp>
#include <devenv/commands/trace_show.hpp>
#include <devenv/mark_window.hpp>
#include <devenv/numbers.hpp>
#include <devenv/output.hpp>
#include <devenv/signals.hpp>
#include <devenv/simulate.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/trace_lines.hpp>
#include <limits>
#include <memory>
#include <sim/trace/trace.hpp>
#include <unordered_map>

namespace devenv {

namespace {

constexpr std::uint64_t default_count = 40;

// The functions that --symbol means: by linker name, by demangled name with or without its parameters, or, where
// several have one name, by an address in it: ADDRESS or NAME@ADDRESS, hexadecimal with 0x.
class SymbolFilter {
  public:
    SymbolFilter(const sim::Image& image, const std::string& name)
        : image_(image), name_(name), start_(start_of(image, name)) {}

    bool holds(std::uint64_t address) {
        const std::uint64_t function = image_.function_start(address);
        const auto [at, fresh] = known_.try_emplace(function, false);
        if (fresh) at->second = matches(function, address);
        return at->second;
    }
    bool exists() const { return start_.has_value(); }

  private:
    static std::optional<std::uint64_t> start_of(const sim::Image& image, const std::string& name) {
        const std::string digits = name.substr(name.rfind('@') + 1);  // all of it without an @
        const auto address = digits.starts_with("0x") ? parse_unsigned(digits) : std::nullopt;
        if (!address) return image.symbol(name);
        const std::uint64_t start = image.function_start(*address);
        if (!start) return std::nullopt;
        const std::string wanted = name.substr(0, name.size() - digits.size());
        if (!wanted.empty() && image.locate(start).function + "@" != wanted) return std::nullopt;
        return start;
    }
    bool matches(std::uint64_t function, std::uint64_t address) const {
        if (start_ && function == *start_) return true;
        const std::string& candidate = image_.locate(address).function;
        return candidate == name_ || candidate.starts_with(name_ + "(");
    }

    const sim::Image& image_;
    const std::string name_;
    const std::optional<std::uint64_t> start_;
    std::unordered_map<std::uint64_t, bool> known_;
};

class Show {
  public:
    // The image may be null if neither a mark nor a symbol is asked for.
    Show(const ShowOptions& options, const sim::Image* image, const sim::TraceInfo& info)
        : options_(options),
          lines_(make_trace_lines(image, {.json = options.json,
                                          .accesses = options.accesses,
                                          .syntax = options.syntax == "att" ? sim::Syntax::att : sim::Syntax::intel,
                                          .style = style_for(STDOUT_FILENO),
                                          .several_cpus = info.cpus > 1})) {
        if (!options.mark.empty()) window_.emplace(image->marks(), parse_mark_choice(options.mark));
        if (!options.symbol.empty()) symbol_.emplace(*image, options.symbol);
        const bool whole_window = window_ && window_->has_end();
        count_ = options.count.value_or(whole_window ? std::numeric_limits<std::uint64_t>::max() : default_count);
    }

    // `stages`, if any, tells how instructions went through the core.
    sim::TraceVisitor visitor(const StageTimes* stages) {
        stages_ = stages;
        sim::TraceVisitor v;
        v.instruction = [this](const sim::TraceRecord& record) { return instruction(record); };
        v.transfer = [this](const sim::Transfer& e, sim::Cycle at) { return event(e.index, lines_->transfer(e, at)); };
        v.halt = [this](const sim::Halt& e, sim::Cycle at) { return event(e.index, lines_->halt(e, at)); };
        v.input = [this](const sim::Input& e, sim::Cycle at) { return event(e.index, lines_->input(e, at)); };
        v.control = [this](const sim::Control& e, sim::Cycle at) { return event(e.index, lines_->control(e, at)); };
        return v;
    }

    // Where what is asked for begins; empty: nowhere.
    std::optional<sim::InstructionIndex> scout(sim::TraceReader& reader) {
        if (!window_ && !symbol_) return options_.from;
        scouting_ = true;
        sim::TraceVisitor v;
        v.instruction = [this](const sim::TraceRecord& record) { return instruction(record); };
        reader.walk(options_.from, v);
        return first_;
    }

    std::uint64_t shown() const { return shown_; }
    bool more() const { return more_; }
    std::uint64_t next() const { return next_; }

    // Nothing was shown: says why.
    Failure nothing(const sim::TraceInfo& info) const {
        if (window_) {
            return Failure(Exit::usage, "--mark " + options_.mark + ": the trace has only " +
                                            grouped(window_->windows_seen()) + " windows of it" + after_from());
        }
        if (symbol_ && !symbol_->exists()) {
            return Failure(Exit::usage, "--symbol " + options_.symbol +
                                            ": no such function; names are those of the function table of exo-dev sim");
        }
        if (symbol_)
            return Failure(Exit::difference, options_.symbol + " is not executed in this trace" + after_from());
        return Failure(Exit::usage, "--from " + grouped(options_.from) + ": the trace ends at instruction " +
                                        grouped(info.instructions));
    }

  private:
    bool instruction(const sim::TraceRecord& record) {
        if (!standard_output().usable() || interrupted()) return false;
        if (record.index < options_.from) return true;
        const std::uint64_t address = record.instruction->address;
        inside_ = (!window_ || window_->holds(address)) && (!symbol_ || symbol_->holds(address));
        if (window_ && window_->over()) return false;
        if (!inside_) return true;
        if (scouting_) return first_ = record.index, false;
        if (shown_ == count_) {
            more_ = true;
            next_ = record.index;
            return false;
        }
        const auto stages = stages_ ? stages_->of(record) : std::nullopt;
        standard_output().write(lines_->instruction(record, stages ? &*stages : nullptr));
        ++shown_;
        return true;
    }

    bool event(sim::InstructionIndex index, const std::string& line) {
        const bool at_start = shown_ == 0 && !window_ && !symbol_;
        if (index >= options_.from && (inside_ || at_start)) standard_output().write(line);
        return standard_output().usable() && !interrupted();
    }

    std::string after_from() const {
        return options_.from ? " from instruction " + grouped(options_.from) + " on" : "";
    }

    const ShowOptions& options_;
    std::unique_ptr<TraceLines> lines_;
    std::optional<MarkWindow> window_;
    std::optional<SymbolFilter> symbol_;
    std::uint64_t count_ = 0, shown_ = 0, next_ = 0;
    bool inside_ = false, more_ = false, scouting_ = false;
    std::optional<sim::InstructionIndex> first_;
    const StageTimes* stages_ = nullptr;
};

}  // namespace

namespace {

// Null if its part of the file is damaged, which is then said: what ran can be shown without names.
const sim::Image* image_of(const sim::TraceReader& reader) {
    try {
        return &reader.image();
    } catch (const sim::TraceError& error) {
        spdlog::error("{}", error.what());
    } catch (const sim::ImageError& error) {
        spdlog::error("{}", error.what());
    }
    return nullptr;
}

// From where on the model runs for the first instruction that is shown.
sim::InstructionIndex warm_start(const ShowOptions& options, const sim::Image* image, sim::TraceReader& reader) {
    if (!options.warm_up) return 0;
    const auto first = Show(options, image, reader.info()).scout(reader).value_or(0);
    return first - std::min(first, *options.warm_up);
}

}  // namespace

Exit show_trace(const ShowOptions& options) {
    const auto reader = sim::TraceReader::open(options.file);
    const sim::Image* image = image_of(*reader);
    if (!image && !(options.mark.empty() && options.symbol.empty()))
        throw Failure(Exit::difference, "--mark and --symbol need the image; leave them out to see what ran");
    sim::InstructionIndex start = options.from;
    std::unique_ptr<StageTimes> stages;
    if (options.pipeline) {
        const sim::InstructionIndex timed_from = warm_start(options, image, *reader);
        const sim::TraceInfo& info = reader->info();
        stages = std::make_unique<StageTimes>(
            models_of(info.model_cpu, info.cpus, options.file + " was timed as " + info.model_cpu), timed_from);
        start = std::min(start, timed_from);
        std::fprintf(stderr, "timed again as %s, from instruction %s on\n", reader->info().model_cpu.c_str(),
                     grouped(timed_from).c_str());
    }
    Show show(options, image, reader->info());
    sim::TraceVisitor visitor = show.visitor(stages.get());
    if (stages) visitor = stages->before(std::move(visitor));
    const std::optional<std::string> damage = reader->walk(start, visitor);
    standard_output().flush();
    if (interrupted()) return Exit::interrupted;
    if (damage && image) spdlog::error("{}", *damage);
    if (damage || !image) return Exit::difference;
    if (show.shown() == 0 && options.count.value_or(1) != 0) throw show.nothing(reader->info());
    if (show.more() && !options.json) {
        std::fprintf(stderr, "%s instructions shown of %s; more with --count N or --from %llu\n",
                     grouped(show.shown()).c_str(), grouped(reader->info().instructions).c_str(),
                     static_cast<unsigned long long>(show.next()));
    }
    return Exit::done;
}

}  // namespace devenv
