// SPDX-License-Identifier: GPL-2.0-or-later
// Events into chunks: info and image first, then code and events as they come, code always before its first use, at
// last the end with totals and an index.
#include <algorithm>
#include <sim/image/image.hpp>
#include <sim/trace/chunk_stream.hpp>
#include <sim/trace/event_encoder.hpp>
#include <sim/trace/trace.hpp>

namespace sim {
namespace {

using namespace format;

// The events are small before compression already: the fastest level.
constexpr int compression_level = 1;

class Writer final : public TraceWriter {
  public:
    Writer(const std::filesystem::path& path, const TraceInfo& info, const Image& image)
        : path_(path), stream_(path, compression_level) {
        put_info(payload_, info);
        stream_.submit({.type = ChunkType::info}, payload_);
        std::span<const std::uint8_t> bytes = image.bytes();
        if (bytes.size() > max_image_bytes)
            throw TraceError(path.string() + ": the image has " + std::to_string(bytes.size()) +
                             " bytes, more than a trace holds; use --no-trace");
        do {
            auto part = bytes.first(std::min(bytes.size(), image_part_bytes));
            payload_.clear();
            payload_.add(part);
            stream_.submit({.type = ChunkType::image}, payload_);
            bytes = bytes.subspan(part.size());
        } while (!bytes.empty());
        payload_.clear();
    }

    void on_code(const CodeBlock& code) override {
        if (code.id != next_id_++) throw TraceError(path_.string() + ": code block ids must be dense");
        put_code(code_, code);
        if (code_.size() >= chunk_target_bytes) flush_code();
    }
    void on_block(const Block& block, std::span<const RetireTime> times) override {
        events_.block(block, times);
        flush_if_full();
    }
    void on_input(const Input& input) override { events_.input(input), flush_if_full(); }
    void on_control(const Control& control) override { events_.control(control), flush_if_full(); }
    void on_transfer(const Transfer& transfer, RetireTime time) override {
        events_.transfer(transfer, time), flush_if_full();
    }
    void on_halt(const Halt& halt) override { events_.halt(halt), flush_if_full(); }

    std::uint64_t finish(const TraceInfo& at_end) override {
        flush_events();
        stream_.drain();
        std::string failure = stream_.failure();
        if (failure.empty()) failure = write_end(at_end);
        bool usable = stream_.instructions_written() > 0;
        if (failure.empty() || usable) stream_.file().publish();
        if (failure.empty()) return stream_.file().size();
        std::string kept = usable ? "the first " + std::to_string(stream_.instructions_written()) +
                                        " instructions are kept there and can be read"
                                  : "nothing was kept";
        throw TraceError(
            path_.string() + ": the trace could not be written beyond byte " + std::to_string(stream_.file().size()) +
            ": " + failure + "; " + kept +
            "; free some space, name a file on another disk with --trace, or shorten the run with --limit");
    }

  private:
    void flush_if_full() {
        if (events_.full()) flush_events();
    }
    void flush_code() {
        if (!code_.size()) return;
        stream_.submit({.type = ChunkType::code, .first_index = events_.index(), .first_cycle = events_.cycle()},
                       code_);
    }
    void flush_events() {
        flush_code();
        if (events_.empty()) return;
        ChunkHeader header{.type = ChunkType::events};
        events_.take(payload_, header);
        instructions_ += header.instructions;
        cycles_ += header.cycles;
        placeholder_cycles_ += header.placeholder_cycles;
        stream_.submit(header, payload_);
    }

    // The totals are the file's own: what its events add up to.
    std::string write_end(TraceInfo info) {
        info.instructions = instructions_;
        info.cycles = cycles_;
        info.placeholder_cycles = placeholder_cycles_;
        payload_.clear();
        put_info(payload_, info);
        payload_.add_varint(stream_.places().size());
        for (const ChunkPlace& place : stream_.places()) {
            payload_.add_varint(static_cast<std::uint8_t>(place.type));
            payload_.add_varint(place.offset);
            payload_.add_varint(place.first_index);
        }
        std::uint64_t offset = stream_.file().size();
        std::string failure = stream_.write_now(
            {.type = ChunkType::end, .first_index = events_.index(), .first_cycle = events_.cycle()}, payload_.span());
        if (!failure.empty()) return failure;
        std::uint8_t trailer[trailer_bytes];
        put_u64(trailer, offset);
        std::copy(std::begin(trailer_magic), std::end(trailer_magic), trailer + 8);
        if (int error = stream_.file().append(trailer, {})) return std::string(std::strerror(error));
        return {};
    }

    std::filesystem::path path_;
    ChunkStream stream_;
    EventEncoder events_;
    Bytes code_, payload_;
    CodeId next_id_ = 0;
    std::uint64_t instructions_ = 0, cycles_ = 0, placeholder_cycles_ = 0;
};

}  // namespace

std::unique_ptr<TraceWriter> make_trace_writer(const std::filesystem::path& path, const TraceInfo& info,
                                               const Image& image) {
    return std::make_unique<Writer>(path, info, image);
}

}  // namespace sim
