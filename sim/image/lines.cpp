// SPDX-License-Identifier: GPL-2.0-or-later
#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/MemoryBufferRef.h>
#include <filesystem>
#include <sim/image/lines.hpp>

namespace sim::detail {

struct LineTable::Dwarf {
    std::unique_ptr<llvm::object::ObjectFile> object;
    std::unique_ptr<llvm::DWARFContext> context;
};

LineTable::LineTable(std::span<const std::uint8_t> elf) : elf_(elf) {}
LineTable::~LineTable() = default;

SourceLine LineTable::find(std::uint64_t virtual_address) {
    if (!opened_) {
        opened_ = true;
        const llvm::StringRef bytes(reinterpret_cast<const char*>(elf_.data()), elf_.size());
        auto object = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(bytes, "image"));
        if (!object) {  // the image runs all the same, only without lines
            llvm::consumeError(object.takeError());
            return {};
        }
        const auto ignore = [](llvm::Error error) { llvm::consumeError(std::move(error)); };
        dwarf_ = std::make_unique<Dwarf>();
        dwarf_->object = std::move(*object);
        dwarf_->context = llvm::DWARFContext::create(
            *dwarf_->object, llvm::DWARFContext::ProcessDebugRelocations::Ignore, nullptr, "", ignore, ignore);
    }
    if (!dwarf_) return {};
    using Specifier = llvm::DILineInfoSpecifier;
    const Specifier want(Specifier::FileLineInfoKind::RelativeFilePath, llvm::DINameKind::None);
    const auto info = dwarf_->context->getLineInfoForAddress({virtual_address}, want);
    if (!info || info->Line == 0 || info->FileName == llvm::DILineInfo::BadString) return {};
    return {std::filesystem::path(info->FileName).lexically_normal().string(), info->Line};
}

}  // namespace sim::detail
