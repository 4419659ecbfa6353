// SPDX-License-Identifier: GPL-2.0-or-later
#include <llvm/ADT/SmallVector.h>
#include <llvm/MC/MCAsmBackend.h>
#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCCodeEmitter.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCObjectFileInfo.h>
#include <llvm/MC/MCObjectWriter.h>
#include <llvm/MC/MCParser/MCAsmParser.h>
#include <llvm/MC/MCParser/MCTargetAsmParser.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCStreamer.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Triple.h>
#include <memory>
#include <mutex>
#include <sim/image/assembler.hpp>

namespace sim {

namespace {

// Directives that reserve space or repeat could make any amount of bytes; a block is instructions.
void refuse_directives(std::string_view text) {
    for (const std::string_view directive :
         {".rept",    ".irp",    ".irpc",    ".fill",  ".space", ".skip", ".zero", ".org",     ".align", ".balign",
          ".p2align", ".incbin", ".include", ".macro", ".nops",  ".dcb",  ".ds",   ".section", ".data",  ".bss"}) {
        const auto at = text.find(directive);
        if (at == text.npos) continue;
        const auto end = at + directive.size();
        if (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) continue;
        throw AssemblyError("assembly: the directive " + std::string(directive) +
                            " has no place in a block of instructions");
    }
}

// The first complaint, in one line.
struct Complaint {
    std::string text;
    static void note(const llvm::SMDiagnostic& diagnostic, void* context) {
        auto& complaint = *static_cast<Complaint*>(context);
        if (!complaint.text.empty() || diagnostic.getKind() != llvm::SourceMgr::DK_Error) return;
        complaint.text = "assembly, line " + std::to_string(diagnostic.getLineNo());
        if (diagnostic.getColumnNo() >= 0) complaint.text += ", column " + std::to_string(diagnostic.getColumnNo() + 1);
        complaint.text += ": " + diagnostic.getMessage().str();
        std::string line = diagnostic.getLineContents().str();
        constexpr std::size_t shown = 80;
        if (line.size() > shown) line = line.substr(0, shown) + "...";
        if (!line.empty()) complaint.text += " (" + line + ")";
    }
};

// An ELF object in memory.
class ObjectAssembler {
  public:
    ObjectAssembler() : triple_("x86_64-unknown-none-elf") {
        static std::once_flag once;
        std::call_once(once, [] {
            LLVMInitializeX86TargetInfo();
            LLVMInitializeX86TargetMC();
            LLVMInitializeX86AsmParser();
        });
        std::string error;
        target_ = llvm::TargetRegistry::lookupTarget(triple_, error);
        if (target_ == nullptr) throw std::runtime_error("LLVM has no x86 target: " + error);
        registers_.reset(target_->createMCRegInfo(triple_));
        info_.reset(target_->createMCAsmInfo(*registers_, triple_, options_));
        instructions_.reset(target_->createMCInstrInfo());
        subtarget_.reset(target_->createMCSubtargetInfo(triple_, "", ""));
    }

    llvm::SmallVector<char, 0> object(std::string_view text, Syntax syntax);

  private:
    llvm::Triple triple_;
    const llvm::Target* target_ = nullptr;
    llvm::MCTargetOptions options_;
    std::unique_ptr<llvm::MCRegisterInfo> registers_;
    std::unique_ptr<llvm::MCAsmInfo> info_;
    std::unique_ptr<llvm::MCInstrInfo> instructions_;
    std::unique_ptr<llvm::MCSubtargetInfo> subtarget_;
};

llvm::SmallVector<char, 0> ObjectAssembler::object(std::string_view text, Syntax syntax) {
    Complaint complaint;
    llvm::SourceMgr source;
    source.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy({text.data(), text.size()}, "assembly"), {});
    source.setDiagHandler(Complaint::note, &complaint);
    llvm::MCContext context(triple_, info_.get(), registers_.get(), subtarget_.get(), &source, &options_);
    context.setDiagnosticHandler([&](const llvm::SMDiagnostic& diagnostic, bool, const llvm::SourceMgr&,
                                     std::vector<const llvm::MDNode*>&) { Complaint::note(diagnostic, &complaint); });
    const std::unique_ptr<llvm::MCObjectFileInfo> sections(target_->createMCObjectFileInfo(context, false));
    context.setObjectFileInfo(sections.get());

    llvm::SmallVector<char, 0> object;
    llvm::raw_svector_ostream out(object);
    auto* backend = target_->createMCAsmBackend(*subtarget_, *registers_, options_);
    const std::unique_ptr<llvm::MCStreamer> streamer(target_->createMCObjectStreamer(
        triple_, context, std::unique_ptr<llvm::MCAsmBackend>(backend), backend->createObjectWriter(out),
        std::unique_ptr<llvm::MCCodeEmitter>(target_->createMCCodeEmitter(*instructions_, context)), *subtarget_));
    const std::unique_ptr<llvm::MCAsmParser> parser(llvm::createMCAsmParser(source, context, *streamer, *info_));
    const std::unique_ptr<llvm::MCTargetAsmParser> target_parser(
        target_->createMCAsmParser(*subtarget_, *parser, *instructions_, options_));
    parser->setTargetParser(*target_parser);
    parser->setAssemblerDialect(syntax == Syntax::intel);
    const bool failed = parser->Run(false);
    if (failed || !complaint.text.empty())
        throw AssemblyError(complaint.text.empty() ? "assembly: LLVM does not accept it" : complaint.text);
    return object;
}

}  // namespace

Syntax guess_syntax(std::string_view text) {
    return text.find_first_of("%$") == text.npos ? Syntax::intel : Syntax::att;
}

std::vector<std::uint8_t> assemble(std::string_view text, Syntax syntax, std::size_t bytes_most) {
    constexpr std::size_t text_most = 4u << 20;
    if (text.size() > text_most)
        throw AssemblyError("assembly: a text of " + std::to_string(text.size()) + " bytes; at most 4 MiB");
    refuse_directives(text);
    const auto object = ObjectAssembler().object(text, syntax);
    auto file = llvm::object::ObjectFile::createObjectFile(
        llvm::MemoryBufferRef(llvm::StringRef(object.data(), object.size()), "assembly"));
    if (!file) throw AssemblyError("assembly: " + llvm::toString(file.takeError()));
    std::vector<std::uint8_t> code;
    for (const auto& section : (*file)->sections()) {
        if (section.relocations().begin() != section.relocations().end()) {
            const auto symbol = section.relocations().begin()->getSymbol();
            const auto name = symbol == (*file)->symbol_end() ? llvm::StringRef() : llvm::cantFail(symbol->getName());
            throw AssemblyError("assembly: the symbol '" + name.str() + "' is not defined in the text");
        }
        if (!section.isText()) continue;
        const llvm::StringRef bytes = llvm::cantFail(section.getContents());
        code.insert(code.end(), bytes.bytes_begin(), bytes.bytes_end());
    }
    if (code.size() > bytes_most)
        throw AssemblyError("assembly: " + std::to_string(code.size()) + " bytes of code; at most " +
                            std::to_string(bytes_most));
    return code;
}

}  // namespace sim
