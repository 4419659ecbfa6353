// SPDX-License-Identifier: GPL-2.0-or-later
// What a run was, what its code was, and chunk headers, to bytes and back. Integers are little-endian.
#include <sim/engine.hpp>
#include <sim/trace/crc32c.hpp>
#include <sim/trace/format.hpp>

namespace sim::format {

void put_u32(std::uint8_t* at, std::uint32_t value) {
    for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
void put_u64(std::uint8_t* at, std::uint64_t value) {
    put_u32(at, static_cast<std::uint32_t>(value));
    put_u32(at + 4, static_cast<std::uint32_t>(value >> 32));
}
std::uint32_t get_u32(const std::uint8_t* at) {
    return at[0] | at[1] << 8 | at[2] << 16 | static_cast<std::uint32_t>(at[3]) << 24;
}
std::uint64_t get_u64(const std::uint8_t* at) { return get_u32(at) | std::uint64_t{get_u32(at + 4)} << 32; }

std::string_view name(ChunkType type) {
    switch (type) {
        case ChunkType::info:
            return "info";
        case ChunkType::image:
            return "image";
        case ChunkType::code:
            return "code";
        case ChunkType::events:
            return "events";
        case ChunkType::end:
            return "end";
    }
    return "unknown";
}

void ChunkHeader::write(std::span<std::uint8_t, chunk_header_bytes> out) const {
    put_u32(&out[0], chunk_magic);
    put_u32(&out[4], static_cast<std::uint32_t>(type));
    put_u32(&out[8], stored_bytes);
    put_u32(&out[12], raw_bytes);
    put_u64(&out[16], first_index);
    put_u64(&out[24], first_cycle);
    put_u64(&out[32], instructions);
    put_u64(&out[40], cycles);
    put_u64(&out[48], placeholder_cycles);
    put_u32(&out[56], payload_crc);
    put_u32(&out[60], crc32c(out.first(60)));
}

bool ChunkHeader::read(std::span<const std::uint8_t, chunk_header_bytes> in, ChunkHeader& header) {
    if (get_u32(&in[0]) != chunk_magic || get_u32(&in[60]) != crc32c(in.first(60))) return false;
    std::uint32_t type = get_u32(&in[4]);
    header = {static_cast<ChunkType>(type),
              get_u32(&in[8]),
              get_u32(&in[12]),
              get_u64(&in[16]),
              get_u64(&in[24]),
              get_u64(&in[32]),
              get_u64(&in[40]),
              get_u64(&in[48]),
              get_u32(&in[56])};
    return type >= 1 && type <= 5;
}

void put_info(Bytes& out, const TraceInfo& info) {
    for (const std::string* text : {&info.engine, &info.engine_version, &info.cpu, &info.model, &info.model_cpu,
                                    &info.image_name, &info.build_id, &info.command_line, &info.clock, &info.stop})
        out.add_string(*text);
    out.add_varint(info.seed);
    out.add_varint(info.jitter | (info.cpus - 1) << 1);
    out.add_varint(info.irq_at.size());
    for (std::uint64_t at : info.irq_at) out.add_varint(at);
    out.add_varint(info.quantum);
    out.add_varint(info.ram_bytes);
    out.add_varint(info.instructions);
    out.add_varint(info.cycles);
    out.add_varint(info.placeholder_cycles);
}

TraceInfo get_info(Cursor& in) {
    TraceInfo info;
    for (std::string* text : {&info.engine, &info.engine_version, &info.cpu, &info.model, &info.model_cpu,
                              &info.image_name, &info.build_id, &info.command_line, &info.clock, &info.stop})
        *text = in.string();
    info.seed = in.varint();
    const std::uint64_t jitter_and_cpus = in.varint();
    info.jitter = jitter_and_cpus & 1;
    if (jitter_and_cpus >> 1 >= cpus_most) in.fail();
    else info.cpus = unsigned(jitter_and_cpus >> 1) + 1;
    std::uint64_t count = in.varint();
    if (count > in.left()) in.fail(), count = 0;  // each takes a byte at least
    for (std::uint64_t i = 0; i < count; ++i) info.irq_at.push_back(in.varint());
    info.quantum = in.varint();
    info.ram_bytes = in.varint();
    info.instructions = in.varint();
    info.cycles = in.varint();
    info.placeholder_cycles = in.varint();
    return info;
}

namespace {

void put_operand(Bytes& out, const MemoryOperand& operand) {
    out.room(64);
    out.put(operand.base);
    out.put(operand.index);
    out.put(operand.scale);
    out.put(static_cast<std::uint8_t>(operand.segment));
    out.put(static_cast<std::uint8_t>(operand.kind));
    out.put(operand.address_bits);
    out.put_varint(operand.size);
    out.put_signed(operand.displacement);
}

bool get_operand(Cursor& in, MemoryOperand& operand, bool linear32) {
    operand.linear32 = linear32;
    operand.base = in.byte();
    operand.index = in.byte();
    operand.scale = in.byte();
    std::uint8_t segment = in.byte(), kind = in.byte();
    operand.segment = static_cast<SegmentBase>(segment);
    operand.kind = static_cast<AccessKind>(kind);
    operand.address_bits = in.byte();
    operand.size = static_cast<std::uint16_t>(in.varint());
    operand.displacement = in.signed_varint();
    return segment <= static_cast<unsigned>(SegmentBase::ds) && kind <= 2;
}

unsigned mode_code(unsigned code_bits) { return code_bits == 64 ? 0 : code_bits == 32 ? 1 : 2; }

}  // namespace

// An instruction is stored as decoded, so that a reader needs no decoder of the same version; its opcode number, which
// has no meaning outside one version of the decoder, is left out.
void put_code(Bytes& out, const CodeBlock& code) {
    out.add_varint(code.id);
    out.add_varint(code.version);
    out.add_varint(code.address);
    out.add_varint(code.physical_address);
    out.add_varint(code.bytes.size());
    out.add(code.bytes);
    out.add_varint(code.instructions.size());
    for (const Instruction& instruction : code.instructions) {
        out.room(64);
        out.put(instruction.length);
        out.put(static_cast<std::uint8_t>(instruction.flow));
        out.put(static_cast<std::uint8_t>(instruction.special));
        out.put(static_cast<std::uint8_t>(instruction.rep | instruction.locked << 1 | instruction.reads_flags << 2 |
                                          instruction.writes_flags << 3 | instruction.operand_count << 4 |
                                          mode_code(instruction.code_bits) << 6));
        out.put_varint(instruction.address - code.address);
        out.put_varint(instruction.reads);
        out.put_varint(instruction.writes);
        for (unsigned i = 0; i < instruction.operand_count && i < 2; ++i) put_operand(out, instruction.memory[i]);
    }
}

bool get_code(Cursor& in, CodeBlock& code) {
    std::uint64_t id = in.varint(), code_version = in.varint();
    code.id = static_cast<CodeId>(id);
    code.version = static_cast<std::uint32_t>(code_version);
    code.address = in.varint();
    code.physical_address = in.varint();
    std::uint64_t byte_count = in.varint();
    if (id > ~CodeId{0} || byte_count > max_block_instructions * 15) return false;
    auto bytes = in.bytes(byte_count);
    code.bytes.assign(bytes.begin(), bytes.end());
    std::uint64_t count = in.varint();
    if (in.failed() || count > max_block_instructions) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
        Instruction instruction{};
        instruction.length = in.byte();
        std::uint8_t flow = in.byte(), special = in.byte(), bits = in.byte();
        if (flow > static_cast<unsigned>(Flow::stop) || special > static_cast<unsigned>(Special::unsupported))
            return false;
        instruction.flow = static_cast<Flow>(flow);
        instruction.special = static_cast<Special>(special);
        instruction.rep = bits & 1;
        instruction.locked = bits & 2;
        instruction.reads_flags = bits & 4;
        instruction.writes_flags = bits & 8;
        instruction.operand_count = bits >> 4 & 3;
        if (instruction.operand_count > 2 || bits >> 6 > 2) return false;
        instruction.code_bits = std::uint8_t(64 >> (bits >> 6));
        instruction.address = code.address + in.varint();
        instruction.reads = static_cast<std::uint16_t>(in.varint());
        instruction.writes = static_cast<std::uint16_t>(in.varint());
        for (unsigned k = 0; k < instruction.operand_count; ++k)
            if (!get_operand(in, instruction.memory[k], instruction.code_bits != 64)) return false;
        code.instructions.push_back(instruction);
    }
    return !in.failed();
}

}  // namespace sim::format
