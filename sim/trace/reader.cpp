// SPDX-License-Identifier: GPL-2.0-or-later
// Opening checks every header and checksum once and remembers where chunks are; walking decompresses and decodes them
// one at a time. Nothing in the file is believed before it is checked, and nothing is allocated beyond the limits.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sim/image/image.hpp>
#include <sim/trace/crc32c.hpp>
#include <sim/trace/event_decoder.hpp>
#include <sim/trace/trace_file.hpp>

namespace sim {
namespace {

using namespace format;

struct Place {
    ChunkHeader header;
    std::uint64_t offset;
};

std::string where(std::size_t number, std::uint64_t offset, std::string_view type) {
    return "chunk " + std::to_string(number) + (type.empty() ? "" : " (" + std::string(type) + ")") + " at byte " +
           std::to_string(offset) + ": ";
}

class File {
  public:
    explicit File(const std::filesystem::path& path)
        : fd_(above_standard(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))) {
        if (fd_ < 0)
            throw TraceError(path.string() + ": cannot be opened: " + std::strerror(errno) + "; check the name");
        struct stat status {};
        if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
            ::close(fd_);
            throw TraceError(path.string() + ": not a regular file; name a trace that `exo-dev sim` wrote");
        }
        size_ = static_cast<std::uint64_t>(status.st_size);
    }
    ~File() { ::close(fd_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    std::uint64_t size() const { return size_; }
    bool read(std::uint64_t offset, std::span<std::uint8_t> out) const {
        while (!out.empty()) {
            ssize_t got = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return false;
            out = out.subspan(static_cast<std::size_t>(got));
            offset += static_cast<std::uint64_t>(got);
        }
        return true;
    }

  private:
    int fd_;
    std::uint64_t size_ = 0;
};

class Reader final : public TraceReader {
  public:
    explicit Reader(const std::filesystem::path& path) : path_(path), file_(path) {
        check_file_header();
        scan();
        bool has_end = !places_.empty() && places_.back().header.type == ChunkType::end;
        if (has_end && damage_.empty()) check_end();
        if (!has_end && damage_.empty())
            damage_ = "the file ends at byte " + std::to_string(file_.size()) + " without its end chunk";
        read_info();
        info_.format = version;
        info_.complete = damage_.empty();
        if (!info_.complete) count_what_is_there();
        if (!image_damage_.empty()) damage_ = image_damage_ + (damage_.empty() ? "" : "; " + damage_);
    }

    const TraceInfo& info() const override { return info_; }
    const std::string& damage() const override { return damage_; }
    std::uint64_t file_bytes() const override { return file_.size(); }

    const Image& image() const override {
        if (!image_damage_.empty())
            throw TraceError(path_.string() + ": the image cannot be used: " + image_damage_ +
                             "; what ran can be read without it; record the trace again for names and source lines");
        if (!image_) {
            std::vector<std::uint8_t> bytes;
            for (std::size_t i = 0; i < places_.size(); ++i) {
                if (places_[i].header.type != ChunkType::image) continue;
                auto part = payload(i);
                if (bytes.size() + part.size() > max_image_bytes)
                    throw error(i, "the image is larger than a trace may hold");
                bytes.insert(bytes.end(), part.begin(), part.end());
            }
            if (bytes.empty() || places_.back().header.type <= ChunkType::image)
                throw TraceError(path_.string() + ": the image is missing from the trace: " + damage_);
            image_ = Image::parse(std::move(bytes), info_.image_name);
        }
        return *image_;
    }

    std::optional<std::string> walk(InstructionIndex from, const TraceVisitor& visitor) override {
        try {
            return walk_chunks(from, visitor);
        } catch (const TraceError& e) {
            return e.what();
        }
    }

  private:
    std::optional<std::string> walk_chunks(InstructionIndex from, const TraceVisitor& visitor) const {
        std::size_t known = 0;  // code blocks of this walk
        EventDecoder decoder(dictionary_, info_.cpus, visitor, from);
        for (std::size_t i = 0; i < places_.size(); ++i) {
            const ChunkHeader& header = places_[i].header;
            if (header.type == ChunkType::code) {
                bool stopped = false;
                if (auto bad = read_code(i, known, visitor, stopped)) return bad;
                if (stopped) return std::nullopt;
            } else if (header.type == ChunkType::events) {
                // Events at index `from` itself may close the chunk before the one that holds the instruction.
                if (header.first_index + header.instructions < from) continue;
                if (auto bad = decoder.decode(header, payload(i))) return error(i, *bad).what();
                if (decoder.stopped()) return std::nullopt;
            }
        }
        if (!damage_.empty()) return path_.string() + ": " + damage_;
        return std::nullopt;
    }

    TraceError error(std::size_t i, const std::string& what) const {
        return TraceError(path_.string() + ": " + where(i, places_[i].offset, name(places_[i].header.type)) + what +
                          "; what comes before it can be used; record the trace again for the rest");
    }

    void check_file_header() {
        std::uint8_t head[file_header_bytes];
        if (file_.size() < sizeof head || !file_.read(0, head) || std::memcmp(head, file_magic, sizeof file_magic) != 0)
            throw TraceError(path_.string() +
                             ": not a trace (no EXOTRACE at byte 0); name a file that `exo-dev sim` wrote");
        if (std::uint32_t found = get_u32(head + 8); found != version)
            throw TraceError(path_.string() + ": trace format " + std::to_string(found) +
                             ", this program reads format " + std::to_string(version) +
                             "; record the trace again or use the exo-dev that wrote it");
        if (std::uint32_t found = get_u32(head + 12); found != revision)
            throw TraceError(path_.string() + ": revision " + std::to_string(found) + " of trace format " +
                             std::to_string(version) + ", this program reads revision " + std::to_string(revision) +
                             "; record the trace again or use the exo-dev that wrote it");
    }

    // Chunks up to the first that is damaged, into places_ and damage_. A damaged part of the image is passed over:
    // events do not need it.
    void scan() {
        std::vector<std::uint8_t> body;
        std::uint64_t offset = file_header_bytes;
        while (offset < file_.size()) {
            std::size_t number = places_.size();
            std::uint64_t left = file_.size() - offset;
            std::uint8_t head[chunk_header_bytes];
            ChunkHeader header;
            if (left < sizeof head || !file_.read(offset, head))
                return cut(number, offset, "the file ends in its header");
            if (!ChunkHeader::read(head, header)) {
                const std::uint64_t next = after_lost_image_part(offset);
                if (!next) return cut(number, offset, "its header is damaged");
                lose_image_part(ChunkHeader{.type = ChunkType::image}, offset, "its header is damaged");
                offset = next;
                continue;
            }
            std::string_view type = name(header.type);
            if (header.raw_bytes > max_raw_bytes || header.stored_bytes > ZSTD_compressBound(max_raw_bytes))
                return cut(number, offset, "larger than a chunk may be", type);
            if (header.stored_bytes > left - sizeof head) return cut(number, offset, "the file ends in it", type);
            body.resize(header.stored_bytes);
            if (!file_.read(offset + sizeof head, body)) return cut(number, offset, "cannot be read", type);
            if (crc32c(body) == header.payload_crc) places_.push_back({header, offset});
            else if (header.type == ChunkType::image) lose_image_part(header, offset, "its checksum is wrong");
            else return cut(number, offset, "its checksum is wrong", type);
            offset += sizeof head + header.stored_bytes;
            if (header.type == ChunkType::end) return;
        }
    }
    void cut(std::size_t number, std::uint64_t offset, const std::string& what, std::string_view type = {}) {
        damage_ = where(number, offset, type) + what;
    }

    void lose_image_part(const ChunkHeader& header, std::uint64_t offset, const std::string& what) {
        if (image_damage_.empty()) image_damage_ = where(places_.size(), offset, name(ChunkType::image)) + what;
        places_.push_back({header, offset});
    }

    // Where the file goes on after a chunk whose header cannot be read, or 0 unless what was lost can only have been
    // one part of the image: the next part follows, or the very first code.
    std::uint64_t after_lost_image_part(std::uint64_t lost) const {
        if (places_.empty() || places_.back().header.type > ChunkType::image) return 0;
        const std::uint64_t from = lost + chunk_header_bytes;
        std::vector<std::uint8_t> near(
            std::min<std::uint64_t>(file_.size() - from, ZSTD_compressBound(image_part_bytes) + chunk_header_bytes));
        if (!file_.read(from, near)) return 0;
        for (std::size_t at = 0; at + chunk_header_bytes <= near.size(); ++at) {
            ChunkHeader header;
            if (get_u32(&near[at]) != chunk_magic ||
                !ChunkHeader::read(std::span(near).subspan(at).first<chunk_header_bytes>(), header))
                continue;
            return header.type == ChunkType::image || begins_code({header, from + at}) ? from + at : 0;
        }
        return 0;
    }
    bool begins_code(const Place& place) const {
        if (place.header.type != ChunkType::code || place.header.raw_bytes > max_raw_bytes ||
            place.header.stored_bytes > file_.size() - place.offset - chunk_header_bytes)
            return false;
        std::vector<std::uint8_t> raw;
        if (!decompress(place, raw).empty()) return false;
        CodeBlock code;
        Cursor in(raw);
        return get_code(in, code) && code.id == 0;
    }

    // The end chunk's index must be what was found, and the trailer must close the file.
    void check_end() {
        const Place& end = places_.back();
        std::size_t number = places_.size() - 1;
        std::uint64_t trailer_offset = end.offset + chunk_header_bytes + end.header.stored_bytes;
        std::uint8_t trailer[trailer_bytes];
        if (file_.size() != trailer_offset + trailer_bytes || !file_.read(trailer_offset, trailer) ||
            get_u64(trailer) != end.offset || std::memcmp(trailer + 8, trailer_magic, sizeof trailer_magic) != 0)
            return cut(number, end.offset, "the file does not close with its trailer", name(ChunkType::end));
        auto bytes = payload(number);
        Cursor in(bytes);
        get_info(in);
        bool agrees = in.varint() == number;
        for (std::size_t i = 0; i < number && agrees; ++i) {
            agrees = in.varint() == static_cast<std::uint64_t>(places_[i].header.type);
            agrees = in.varint() == places_[i].offset && agrees;
            agrees = in.varint() == places_[i].header.first_index && agrees;
        }
        if (!agrees || in.failed() || in.left()) cut(number, end.offset, "its index is not that of the file", "end");
    }

    void read_info() {
        if (places_.empty() || places_[0].header.type != ChunkType::info)
            throw TraceError(path_.string() + ": nothing can be used: " +
                             (damage_.empty() ? "it holds no information" : damage_) + "; record the trace again");
        std::size_t source = damage_.empty() ? places_.size() - 1 : 0;
        auto bytes = payload(source);
        Cursor in(bytes);
        info_ = get_info(in);
        if (in.failed()) throw error(source, "cannot be decoded");
    }

    void count_what_is_there() {
        info_.stop.clear();
        info_.instructions = info_.cycles = info_.placeholder_cycles = 0;
        for (const Place& place : places_) {
            info_.instructions += place.header.instructions;
            info_.cycles += place.header.cycles;
            info_.placeholder_cycles += place.header.placeholder_cycles;
        }
    }

    // The chunk's decompressed bytes. Throws TraceError.
    std::vector<std::uint8_t> payload(std::size_t i) const {
        std::vector<std::uint8_t> raw;
        if (const std::string bad = decompress(places_[i], raw); !bad.empty()) throw error(i, bad);
        return raw;
    }
    // Empty, or what is wrong.
    std::string decompress(const Place& place, std::vector<std::uint8_t>& raw) const {
        std::vector<std::uint8_t> stored(place.header.stored_bytes);
        if (!file_.read(place.offset + chunk_header_bytes, stored)) return "cannot be read any more";
        if (crc32c(stored) != place.header.payload_crc) return "changed while it was read";
        raw.resize(place.header.raw_bytes);
        std::size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
        if (ZSTD_isError(size) || size != raw.size()) return "cannot be decompressed";
        return {};
    }

    std::optional<std::string> read_code(std::size_t i, std::size_t& known, const TraceVisitor& visitor,
                                         bool& stopped) const {
        auto bytes = payload(i);
        Cursor in(bytes);
        while (in.left() && !stopped) {
            auto code = std::make_unique<CodeBlock>();
            if (!get_code(in, *code) || code->id != known) return error(i, "a code block is damaged").what();
            if (known == dictionary_.size()) dictionary_.push_back(std::move(code));
            if (visitor.code && !visitor.code(*dictionary_[known])) stopped = true;
            ++known;
        }
        return std::nullopt;
    }

    std::filesystem::path path_;
    File file_;
    std::vector<Place> places_;
    std::string damage_, image_damage_;  // once open, damage_ tells both
    TraceInfo info_;
    mutable std::unique_ptr<Image> image_;
    mutable Dictionary dictionary_;  // of all walks: code blocks stay where they are
};

}  // namespace

std::unique_ptr<TraceReader> TraceReader::open(const std::filesystem::path& path) {
    return std::make_unique<Reader>(path);
}

}  // namespace sim
