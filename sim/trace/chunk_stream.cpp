// SPDX-License-Identifier: GPL-2.0-or-later
#include <zstd.h>

#include <cstring>
#include <exception>
#include <sim/trace/chunk_stream.hpp>
#include <sim/trace/crc32c.hpp>

namespace sim::format {

ChunkStream::ChunkStream(std::filesystem::path target, int level)
    : file_(std::move(target)), level_(level), compressor_(ZSTD_createCCtx()) {
    if (!compressor_) throw std::bad_alloc();
    std::uint8_t head[file_header_bytes] = {};
    std::memcpy(head, file_magic, sizeof file_magic);
    put_u32(head + 8, version);
    put_u32(head + 12, revision);
    if (int error = file_.append(head, {})) {
        failure_ = std::strerror(error);
        failed_ = true;
    }
    try {
        thread_ = std::thread([this] { work(); });
    } catch (...) {
        ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(compressor_));
        throw;
    }
}

ChunkStream::~ChunkStream() {
    drain();
    ZSTD_freeCCtx(static_cast<ZSTD_CCtx*>(compressor_));
}

void ChunkStream::submit(ChunkHeader header, Bytes& payload) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return queue_.size() < queue_limit || failed_; });
    if (failed_) {
        payload.clear();
        return;
    }
    Bytes empty;
    if (!spare_.empty()) {
        empty = std::move(spare_.back());
        spare_.pop_back();
    }
    queue_.push_back({header, std::move(payload)});
    payload = std::move(empty);
    payload.clear();
    changed_.notify_all();
}

void ChunkStream::drain() {
    {
        std::lock_guard lock(mutex_);
        closing_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

void ChunkStream::work() {
    for (;;) {
        Job job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return !queue_.empty() || closing_; });
            if (queue_.empty()) return;
            job = std::move(queue_.front());
            queue_.pop_front();
            changed_.notify_all();
            if (failed_) continue;
        }
        std::string cause;
        try {
            cause = write_now(job.header, job.payload.span());
        } catch (const std::exception& e) {
            cause = e.what();
        }
        std::lock_guard lock(mutex_);
        if (!cause.empty()) {
            failure_ = cause;
            failed_ = true;
        }
        if (spare_.size() < queue_limit) spare_.push_back(std::move(job.payload));
        changed_.notify_all();
    }
}

std::string ChunkStream::write_now(ChunkHeader header, std::span<const std::uint8_t> payload) {
    compressed_.resize(ZSTD_compressBound(payload.size()));
    std::size_t stored = ZSTD_compressCCtx(static_cast<ZSTD_CCtx*>(compressor_), compressed_.data(), compressed_.size(),
                                           payload.data(), payload.size(), level_);
    if (ZSTD_isError(stored)) return ZSTD_getErrorName(stored);
    header.raw_bytes = static_cast<std::uint32_t>(payload.size());
    header.stored_bytes = static_cast<std::uint32_t>(stored);
    std::span<const std::uint8_t> body = std::span(compressed_).first(stored);
    header.payload_crc = crc32c(body);
    std::uint8_t head[chunk_header_bytes];
    header.write(head);
    std::uint64_t offset = file_.size();
    if (int error = file_.append(head, body)) return std::strerror(error);
    places_.push_back({header.type, offset, header.first_index});
    if (header.type == ChunkType::events) instructions_written_ += header.instructions;
    return {};
}

}  // namespace sim::format
