// SPDX-License-Identifier: GPL-2.0-or-later
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <devenv/view/code.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <devenv/view/run_report.hpp>
#include <devenv/view/spending_report.hpp>
#include <devenv/view/trace_lines.hpp>
#include <map>

namespace devenv {

namespace {

constexpr std::size_t symbol_columns = 34;
constexpr std::size_t wide_columns = 110;  // a terminal with fewer gets functions on lines of their own

const char* name(sim::AccessKind kind) {
    static constexpr std::array names = {"load", "store", "rmw"};
    return names.at(static_cast<std::size_t>(kind));
}
const char* name(sim::TransferKind kind) {
    static constexpr std::array names = {"exception", "interrupt", "software"};
    return names.at(static_cast<std::size_t>(kind));
}
const char* name(sim::InputKind kind) {
    static constexpr std::array names = {"tsc", "cpuid", "port", "mmio", "random", "start", "msr"};
    return names.at(static_cast<std::size_t>(kind));
}
const char* name(sim::ControlKind kind) {
    static constexpr std::array names = {"cr0",           "cr2", "cr3", "cr4", "efer", "msr", "invalidate page",
                                         "invalidate all"};
    return names.at(static_cast<std::size_t>(kind));
}

std::span<const std::uint8_t> bytes_of(const sim::CodeBlock& code, const sim::Instruction& instruction) {
    const std::span<const std::uint8_t> all = code.bytes;
    const std::uint64_t offset = instruction.address - code.address;
    if (offset >= all.size()) return {};
    return all.subspan(offset, std::min<std::size_t>(instruction.length, all.size() - offset));
}
std::span<const std::uint8_t> bytes_of(const sim::TraceRecord& record) {
    return bytes_of(*record.code, *record.instruction);
}

// "~45" where it rests on an estimate, "+45" else.
std::string delta(const sim::RetireTime& time) {
    return (time.placeholder_cycles ? "~" : "+") + std::to_string(time.cycles);
}
// Instructions that retired together with the one before them took nothing by themselves.
std::string cause(const sim::RetireTime& time) { return time.cycles ? wait_word(time.wait) : ""; }

class TextLines final : public TraceLines {
  public:
    TextLines(const sim::Image* image, const TraceLinesOptions& options)
        : code_(image, options.syntax), options_(options) {}

    std::string instruction(const sim::TraceRecord& r, const Stages* stages) override {
        const std::uint64_t at = r.instruction->address;
        std::string out;
        const std::string source = code_.source(at);
        if (stages) return in_stages(r, *stages, source);
        if (narrow()) return narrow_instruction(r, source);
        if (source != source_ && !source.empty()) out += options_.style.cyan(source) + "\n";
        source_ = source;
        out +=
            fmt::format("{}{:>11} {:>12} {:>6} {:<7}  {}  {:<{}}  {}\n", cpu(r.cpu), grouped(r.index), grouped(r.cycle),
                        delta(r.time), cause(r.time), address(at), shorten(code_.symbol(at), symbol_columns),
                        symbol_columns, code_.text(at, bytes_of(r), r.instruction->code_bits));
        return out + accesses(r, 33);
    }
    std::string transfer(const sim::Transfer& t, sim::Cycle cycle) override {
        std::string what = t.kind == sim::TransferKind::interrupt
                               ? "interrupt vector " + std::to_string(t.vector)
                               : std::string(name(t.kind)) + " " + exception_name(t.vector);
        if (t.has_error_code) what += ", error code " + hex(t.error_code);
        if (t.kind == sim::TransferKind::exception && t.vector == 14) {
            what += " (" + page_fault_reason(t.error_code) + ") at " + address(t.fault_address);
        }
        return event(t, cycle, what + ": " + code_.symbol(t.source) + " -> " + code_.symbol(t.target));
    }
    std::string halt(const sim::Halt& h, sim::Cycle cycle) override {
        return event(h, cycle, "halt: slept " + grouped(h.skipped_ticks) + " ticks");
    }
    std::string input(const sim::Input& i, sim::Cycle cycle) override {
        return event(i, cycle, "input " + std::string(name(i.kind)) + " " + hex(i.address) + " = " + hex(i.value));
    }
    std::string control(const sim::Control& c, sim::Cycle cycle) override {
        const bool which = c.kind == sim::ControlKind::msr || c.kind == sim::ControlKind::invalidate_page;
        const bool value = c.kind != sim::ControlKind::invalidate_page && c.kind != sim::ControlKind::invalidate_all;
        return event(c, cycle,
                     "control " + std::string(name(c.kind)) + (which ? " " + hex(c.which) : "") +
                         (value ? " = " + hex(c.value) : ""));
    }

  private:
    bool narrow() const { return options_.style.width && options_.style.width < wide_columns; }

    std::string narrow_instruction(const sim::TraceRecord& r, const std::string& source) {
        const std::uint64_t at = r.instruction->address;
        const std::string symbol = code_.symbol(at);
        const std::string place = symbol.substr(0, symbol.rfind("+0x")) + (source.empty() ? "" : "  " + source);
        std::string out;
        if (place != source_) out += options_.style.cyan(shorten(place, options_.style.width)) + "\n";
        source_ = place;
        out += fmt::format("{}{:>10} {:>11} {:>5} {:<7} {} {}\n", cpu(r.cpu), grouped(r.index), grouped(r.cycle),
                           delta(r.time), cause(r.time), address(at),
                           code_.text(at, bytes_of(r), r.instruction->code_bits));
        return out + accesses(r, 6);
    }

    // Cycles since the first of them was fetched, of its CPU.
    std::string in_stages(const sim::TraceRecord& r, const Stages& s, const std::string& source) {
        std::string out;
        if (starts_.empty())
            out += options_.style.bold(fmt::format("{}{:>11} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:<7}  {}",
                                                   options_.several_cpus ? "   " : "", "number", "fetch", "dispatch",
                                                   "issue", "complete", "retire", "", "waited", "instruction")) +
                   "\n";
        const sim::Cycle start = starts_.try_emplace(r.cpu, s.times.fetch).first->second;
        const std::uint64_t at = r.instruction->address;
        const std::string symbol = code_.symbol(at);
        const std::string function = symbol.substr(0, symbol.rfind("+0x"));
        if (function != source_) out += options_.style.cyan(function + (source.empty() ? "" : "  " + source)) + "\n";
        source_ = function;
        std::string text = code_.text(at, bytes_of(r), r.instruction->code_bits);
        if (const std::string why = waited_for(s); !why.empty()) {
            constexpr std::size_t text_columns = 44;
            text +=
                std::string(text_columns - std::min(text_columns, columns(text)), ' ') + options_.style.dim("  " + why);
        }
        const auto since = [start](sim::Cycle cycle) {
            return signed_grouped(static_cast<std::int64_t>(cycle - start));
        };
        out += fmt::format("{}{:>11} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:<7}  {}\n", cpu(r.cpu), grouped(r.index),
                           since(s.times.fetch), since(s.times.dispatch), since(s.times.issue), since(s.times.complete),
                           since(s.times.retire), delta(s.time), cause(s.time), text);
        return out + accesses(r, 12);
    }

    // What the instruction itself waited for, even if another one was later: the units, or the instruction that made
    // its operand.
    std::string waited_for(const Stages& s) {
        if (!s.units.empty()) return "for " + s.units;
        if (!s.producer) return "";
        const Producer& p = *s.producer;
        return "on " + grouped(p.index) + " at " + hex(p.instruction->address) + ": " +
               code_.text(p.instruction->address, bytes_of(*p.code, *p.instruction), p.instruction->code_bits);
    }

    std::string accesses(const sim::TraceRecord& r, std::size_t indent) const {
        if (!options_.accesses) return "";
        std::string out;
        for (const sim::Access& a : r.accesses) {
            out += fmt::format("{:>{}}{} {} bytes at {}, physical {:#x}{}\n", "", indent, name(a.kind), a.size,
                               address(a.virtual_address), a.physical_address, a.io ? ", device" : "");
        }
        return out;
    }

    template <typename Event>
    std::string event(const Event& e, sim::Cycle cycle, const std::string& what) {
        return fmt::format("{}{:>11} {:>12}         {}\n", cpu(e.cpu), grouped(e.index), grouped(cycle),
                           options_.style.bold("-- " + what));
    }
    std::string cpu(std::uint32_t number) const { return options_.several_cpus ? fmt::format("{:>2} ", number) : ""; }

    CodeView code_;
    TraceLinesOptions options_;
    std::string source_;
    std::map<std::uint32_t, sim::Cycle> starts_;  // by CPU
};

class JsonLines final : public TraceLines {
  public:
    JsonLines(const sim::Image* image, const TraceLinesOptions& options)
        : image_(image), code_(image, options.syntax), options_(options) {}

    std::string instruction(const sim::TraceRecord& r, const Stages* stages) override {
        const std::uint64_t at = r.instruction->address;
        const sim::Location where = image_ ? image_->locate(at) : sim::Location{};
        std::string bytes;
        for (std::uint8_t byte : bytes_of(r)) bytes += fmt::format("{:02x}", byte);
        Json json = {{"index", r.index},
                     {"cycle", r.cycle},
                     {"delta", r.time.cycles},
                     {"wait", r.time.cycles ? Json(wait_title(r.time.wait)) : Json(nullptr)},
                     {"placeholder", r.time.placeholder_cycles},
                     {"less", r.time.less},
                     {"more", r.time.more},
                     {"address", hex(at)},
                     {"symbol", where.function},
                     {"offset", where.offset},
                     {"file", where.file},
                     {"line", where.line},
                     {"bytes", bytes},
                     {"text", code_.text(at, bytes_of(r), r.instruction->code_bits)}};
        if (options_.several_cpus) json["cpu"] = r.cpu;
        if (options_.accesses) json["accesses"] = accesses(r);
        if (stages) json["pipeline"] = pipeline(*stages);
        return json_line(json);
    }
    std::string transfer(const sim::Transfer& t, sim::Cycle cycle) override {
        Json json = event(name(t.kind), t, cycle);
        json["vector"] = t.vector;
        if (t.has_error_code) json["error_code"] = t.error_code;
        json["source"] = hex(t.source);
        json["target"] = hex(t.target);
        if (t.vector == 14) json["fault_address"] = hex(t.fault_address);
        return json_line(json);
    }
    std::string halt(const sim::Halt& h, sim::Cycle cycle) override {
        Json json = event("halt", h, cycle);
        json["skipped_ticks"] = h.skipped_ticks;
        return json_line(json);
    }
    std::string input(const sim::Input& i, sim::Cycle cycle) override {
        Json json = event("input", i, cycle);
        json["kind"] = name(i.kind);
        json["where"] = hex(i.address);
        json["value"] = hex(i.value);
        return json_line(json);
    }
    std::string control(const sim::Control& c, sim::Cycle cycle) override {
        Json json = event("control", c, cycle);
        json["kind"] = name(c.kind);
        json["where"] = hex(c.which);
        json["value"] = hex(c.value);
        return json_line(json);
    }

  private:
    template <typename Event>
    Json event(const char* what, const Event& e, sim::Cycle cycle) const {
        Json json = {{"event", what}, {"index", e.index}, {"cycle", cycle}};
        if (options_.several_cpus) json["cpu"] = e.cpu;
        return json;
    }
    static Json pipeline(const Stages& s) {
        return {{"fetch", s.times.fetch},
                {"dispatch", s.times.dispatch},
                {"issue", s.times.issue},
                {"complete", s.times.complete},
                {"retire", s.times.retire},
                {"delta", s.time.cycles},
                {"wait", s.time.cycles ? Json(wait_title(s.time.wait)) : Json(nullptr)},
                {"waited_for", wait_title(s.times.wait)},
                {"on", s.producer ? Json(s.producer->index) : Json(nullptr)},
                {"on_address", s.producer ? Json(hex(s.producer->instruction->address)) : Json(nullptr)},
                {"units", s.units.empty() ? Json(nullptr) : Json(s.units)},
                {"rests_on", provenance_key(s.time.rests)},
                {"misses", misses(s.misses)}};
    }
    static Json misses(const sim::MissCounts& counts) {
        Json json = Json::object();
        for (std::size_t i = 0; i < sim::miss_count; ++i)
            if (counts[i]) json[miss_key(static_cast<sim::Miss>(i))] = counts[i];
        return json;
    }
    static Json accesses(const sim::TraceRecord& r) {
        Json list = Json::array();
        for (const sim::Access& a : r.accesses) {
            list.push_back({{"kind", name(a.kind)},
                            {"size", a.size},
                            {"virtual", hex(a.virtual_address)},
                            {"physical", hex(a.physical_address)},
                            {"device", a.io}});
        }
        return list;
    }

    const sim::Image* image_;
    CodeView code_;
    TraceLinesOptions options_;
};

}  // namespace

std::unique_ptr<TraceLines> make_trace_lines(const sim::Image* image, const TraceLinesOptions& options) {
    if (options.json) return std::make_unique<JsonLines>(image, options);
    return std::make_unique<TextLines>(image, options);
}

}  // namespace devenv
