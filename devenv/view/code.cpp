// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <devenv/view/code.hpp>
#include <devenv/view/format.hpp>

namespace devenv {

namespace {
constexpr std::size_t longest_instruction = 15;  // bytes; APM3 1.1

// LLVM's printer separates mnemonic and operands with tabs and starts with one.
std::string tidy(std::string text) {
    text.erase(0, text.find_first_not_of(" \t"));
    text.erase(text.find_last_not_of(" \t\n") + 1);
    std::replace(text.begin(), text.end(), '\t', ' ');
    return text;
}
}  // namespace

CodeView::CodeView(const sim::Image* image, sim::Syntax syntax) : image_(image), syntax_(syntax) {}

sim::Decoder& CodeView::decoder(unsigned code_bits) const {
    auto& decoder = decoders_[code_bits / 32];
    const auto bits = std::uint8_t(code_bits);
    if (!decoder) decoder = sim::Decoder::make({.bits = bits, .stack_bits = bits});
    return *decoder;
}

std::string CodeView::symbol(std::uint64_t address) const {
    if (!image_) return "?";
    const sim::Location& at = image_->locate(address);
    if (at.function.empty()) return "?";
    return at.offset ? at.function + "+" + hex(at.offset) : at.function;
}

std::string CodeView::source(std::uint64_t address) const {
    if (!image_) return "";
    const sim::Location& at = image_->locate(address);
    return at.file.empty() ? "" : at.file + ":" + std::to_string(at.line);
}

std::string CodeView::text(std::uint64_t address, std::span<const std::uint8_t> bytes, unsigned code_bits) const {
    if (bytes.empty()) return "(no bytes)";
    const std::string text = tidy(decoder(code_bits).text(bytes, address, syntax_));
    return text.empty() ? "(not code)" : text;
}

std::string CodeView::text(std::uint64_t address, unsigned code_bits) const {
    return text(address, image_bytes(address), code_bits);
}

std::string CodeView::line(std::uint64_t address, std::span<const std::uint8_t> bytes, unsigned code_bits) const {
    const std::string where = source(address);
    return devenv::address(address) + "  " + shorten(symbol(address), 40) + "  " +
           (bytes.empty() ? text(address, code_bits) : text(address, bytes, code_bits)) +
           (where.empty() ? "" : "  (" + where + ")");
}

std::span<const std::uint8_t> CodeView::image_bytes(std::uint64_t address) const {
    if (!image_) return {};
    for (const sim::Segment& segment : image_->segments()) {
        for (const std::uint64_t start : {segment.virtual_address, segment.physical_address}) {
            if (address < start || address - start >= segment.bytes.size()) continue;
            const auto rest = segment.bytes.subspan(address - start);
            return rest.first(std::min(rest.size(), longest_instruction));
        }
    }
    return {};
}

}  // namespace devenv
