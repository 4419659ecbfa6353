// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <devenv/environment.hpp>
#include <devenv/exit_status.hpp>
#include <devenv/validation/samples.hpp>
#include <fstream>
#include <map>

namespace devenv {

namespace {

constexpr std::size_t most_samples = 1'000'000, most_bytes = 4096;

std::vector<std::string_view> split(std::string_view line, char separator) {
    std::vector<std::string_view> fields;
    for (;;) {
        const std::size_t end = line.find(separator);
        fields.push_back(line.substr(0, end));
        if (end == std::string_view::npos) return fields;
        line.remove_prefix(end + 1);
    }
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

class Reader {
  public:
    Reader(const std::filesystem::path& path, bool cycles) : path_(path), cycles_(cycles), file_(path) {
        std::error_code error;
        if (std::filesystem::is_directory(path, error)) throw Failure(Exit::usage, display(path) + ": is a folder");
        if (!file_) throw Failure(Exit::usage, display(path) + ": " + std::strerror(errno));
    }

    SampleSet read() {
        SampleSet set;
        set.name = path_.filename().string();
        read_header(set);
        while (next()) {
            if (line_.empty()) continue;
            if (set.samples.size() == most_samples) fail("more than 1,000,000 lines");
            set.samples.push_back(set.patterns ? pattern() : block());
        }
        if (file_.bad()) fail("cannot be read");
        if (set.samples.empty()) throw Failure(Exit::usage, display(path_) + ": no blocks below its header");
        return set;
    }

  private:
    [[noreturn]] void fail(const std::string& why) const {
        throw Failure(Exit::usage, display(path_) + ":" + std::to_string(number_) + ": " + why);
    }
    bool next() {
        if (!std::getline(file_, line_)) return false;
        ++number_;
        if (line_.ends_with('\r')) line_.pop_back();
        return true;
    }
    void read_header(SampleSet& set) {
        if (!next()) throw Failure(Exit::usage, display(path_) + ": is empty");
        separator_ = line_.find('\t') != std::string::npos ? '\t' : ',';
        std::size_t at = 0;
        for (const std::string_view field : split(line_, separator_)) columns_[std::string(field)] = at++;
        set.patterns = columns_.contains("assembly_intel_syntax");
        const std::string cycles = set.patterns ? "cycles" : "cycles_per_iteration";
        if (!set.patterns && !columns_.contains("hex"))
            fail(
                "its header has neither a column 'hex' (with cycles_per_iteration) nor 'assembly_intel_syntax' "
                "(with cycles)");
        if (cycles_ && !columns_.contains(cycles)) fail("its header has no column '" + cycles + "'");
        width_ = at;
        cycles_column_ = cycles;
    }
    std::string field(const std::string& name) const {
        const auto found = columns_.find(name);
        return found == columns_.end() ? std::string() : std::string(fields_[found->second]);
    }
    void common(Sample& sample) {
        if (!cycles_) return;
        const auto cycles = parse_number(field(cycles_column_));
        if (!cycles || *cycles <= 0) fail("'" + field(cycles_column_) + "' is no number of cycles above 0");
        sample.measured = *cycles;
    }
    void cut() {
        fields_ = split(line_, separator_);
        if (fields_.size() != width_)
            fail(std::to_string(fields_.size()) + " columns, its header has " + std::to_string(width_));
    }
    Sample block() {
        cut();
        Sample sample;
        sample.name = field("hex");
        const auto code = parse_hex(sample.name);
        if (!code) fail("'" + sample.name.substr(0, 40) + "' is no block in hexadecimal digits");
        if (code->size() > most_bytes) fail("a block of more than 4096 bytes");
        sample.code = *code;
        sample.flags = field("flags");
        sample.source = field("source");
        sample.spread = parse_number(field("spread")).value_or(0);
        common(sample);
        return sample;
    }
    Sample pattern() {
        cut();
        Sample sample;
        sample.name = field("what");
        sample.assembly = field("assembly_intel_syntax");
        if (sample.assembly.empty()) fail("no assembly");
        common(sample);
        return sample;
    }

    const std::filesystem::path path_;
    const bool cycles_;
    std::ifstream file_;
    std::string line_;
    std::size_t number_ = 0, width_ = 0;
    char separator_ = ',';
    std::map<std::string, std::size_t> columns_;
    std::string cycles_column_;
    std::vector<std::string_view> fields_;
};

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

namespace {

std::string in_digits(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.4f", value);
    return text;
}

std::string row(const Sample& sample, bool pattern) {
    if (pattern)
        return sample.name + '\t' + in_digits(sample.measured) + '\t' + in_digits(sample.spread) + '\t' +
               in_digits(sample.unrolled) + '\t' + sample.assembly + '\n';
    return to_hex(sample.code) + ',' + in_digits(sample.measured) + ',' + in_digits(sample.spread) + ',' +
           in_digits(sample.loop) + ',' + sample.flags + ',' + sample.source + '\n';
}

}  // namespace

void write_samples(const std::filesystem::path& path, const std::vector<SampleSet>& sets) {
    const bool patterns = std::ranges::any_of(sets, &SampleSet::patterns);
    std::string text = patterns ? "what\tcycles\tspread\tunrolled_cycles\tassembly_intel_syntax\n"
                                : "hex,cycles_per_iteration,spread,loop_cycles,flags,source\n";
    for (const SampleSet& set : sets) {
        for (const Sample& sample : set.samples)
            if (sample.excluded.empty() && sample.measured > 0) text += row(sample, patterns);
    }
    std::ofstream file(path);
    file << text;
    file.close();
    if (!file)
        throw Failure(Exit::difference, display(path) + ": cannot be written: is the disk full, or is it yours?");
}

SampleSet read_samples(const std::filesystem::path& path, bool cycles) { return Reader(path, cycles).read(); }

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view digits) {
    if (digits.empty() || digits.size() % 2) return std::nullopt;
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const int high = digit(digits[i]), low = digit(digits[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return bytes;
}

std::string to_hex(const std::vector<std::uint8_t>& bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

}  // namespace devenv
