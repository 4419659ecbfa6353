// SPDX-License-Identifier: GPL-2.0-or-later
// Trace files, format 0: written while a run goes on, read again by `exo-dev trace`. Self-contained: the image is in
// the file. Deterministic: same run, same bytes; no path, date or host in it. traces/README.md describes the format.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sim/events.hpp>
#include <sim/timing/model.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace sim {

class Image;

struct TraceError : std::runtime_error {  // names the file, the place (chunk, byte offset), the cause, the next step
    using std::runtime_error::runtime_error;
};

// What a trace says of its run; written at its start, and completed at its end.
struct TraceInfo {
    std::uint32_t format = 0;
    std::string engine, engine_version, cpu, model, model_cpu, image_name, build_id, command_line, clock;
    std::uint64_t seed = 0;
    bool jitter = false;
    std::vector<std::uint64_t> irq_at;
    unsigned cpus = 1;
    std::uint64_t quantum = 0, ram_bytes = 0;
    // known at the end:
    // false: the file ends early, and what is below covers the part that could be read. A damaged image alone leaves it
    // true: all that ran is there.
    bool complete = false;
    std::string stop;
    std::uint64_t instructions = 0, cycles = 0, placeholder_cycles = 0;
};

class TraceWriter {
  public:
    virtual ~TraceWriter() = default;  // without finish(): removes what was written
    virtual void on_code(const CodeBlock&) = 0;
    virtual void on_block(const Block&, std::span<const RetireTime>) = 0;
    virtual void on_input(const Input&) = 0;
    virtual void on_control(const Control&) = 0;
    virtual void on_transfer(const Transfer&, RetireTime) = 0;
    virtual void on_halt(const Halt&) = 0;
    // Closes, syncs and renames to the final name; returns bytes. Throws TraceError when writing failed at some point
    // (full disk): what was recorded up to then is kept readable under the final name if anything fitted, and the
    // error says so. The functions above never throw for such a failure: they drop what comes after it.
    virtual std::uint64_t finish(const TraceInfo& at_end) = 0;
};

// Creates nothing under the final name until finish(). Throws TraceError if the folder cannot be written.
std::unique_ptr<TraceWriter> make_trace_writer(const std::filesystem::path&, const TraceInfo& at_start, const Image&);

// One retired instruction as `trace show` wants it.
struct TraceRecord {
    InstructionIndex index;
    Cycle cycle;  // retirement, since the start; with several CPUs: cycles of all of them together
    RetireTime time;
    const CodeBlock* code;
    const Instruction* instruction;
    std::span<const Access> accesses;  // of this instruction
    std::uint32_t cpu = 0;
};

struct TraceVisitor {  // every member may be empty; a function that returns false ends the walk
    std::function<bool(const TraceRecord&)> instruction;
    // All retired instructions of a block at once, with the cycle before its first: what a profile or model wants.
    // Comes before `instruction` for each of them.
    std::function<bool(const Block&, std::span<const RetireTime>, Cycle)> block;
    std::function<bool(const CodeBlock&)> code;  // before its first block, also when the walk starts later
    std::function<bool(const Transfer&, RetireTime)> transfer_time;  // what the entry itself took; before `transfer`
    std::function<bool(const Transfer&, Cycle)> transfer;            // cycle: after it
    std::function<bool(const Halt&, Cycle)> halt;
    std::function<bool(const Input&, Cycle)> input;
    std::function<bool(const Control&, Cycle)> control;
};

class TraceReader {
  public:
    // Reads and checks the whole file once. Throws TraceError if nothing is usable.
    static std::unique_ptr<TraceReader> open(const std::filesystem::path&);
    virtual ~TraceReader() = default;
    virtual const TraceInfo& info() const = 0;
    // What is damaged or missing and where (chunk number, type, byte offset); empty if the file is whole.
    virtual const std::string& damage() const = 0;
    // Parsed at the first call. Throws TraceError, naming the chunk, if a part of it is damaged or missing (info() and
    // walk() do not need it and go on without), ImageError.
    virtual const Image& image() const = 0;
    virtual std::uint64_t file_bytes() const = 0;
    // Visits everything from instruction index `from` on, decoding only from the chunk that holds it. Empty if all
    // went well or the visitor ended it; else what is damaged and where, after everything that could be read was
    // visited: all there is if the image alone is damaged. Code blocks stay valid as long as the reader.
    virtual std::optional<std::string> walk(InstructionIndex from, const TraceVisitor&) = 0;
};

}  // namespace sim
