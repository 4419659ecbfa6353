// SPDX-License-Identifier: GPL-2.0-or-later
// What is written is what is read, byte for byte the same twice, and nothing appears under the final name too early.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sim/trace/profile.hpp>
#include <sim/trace/replay.hpp>
#include <sim/trace/threaded_sink.hpp>

#include "recording.hpp"

namespace {

using namespace sim;
using namespace recording;
namespace fs = std::filesystem;

TEST(Trace, ReadsBackWhatWasWritten) {
    Folder folder;
    Record written = record(folder / "t.trace", 3, 200'000, true);
    auto reader = TraceReader::open(folder / "t.trace");
    EXPECT_TRUE(reader->info().complete) << reader->damage();
    EXPECT_EQ(reader->damage(), "");
    EXPECT_EQ(reader->info().stop, "power-off");
    EXPECT_EQ(reader->info().engine, "synthetic");
    EXPECT_EQ(reader->info().quantum, 600u);
    EXPECT_EQ(reader->info().ram_bytes, 128u << 20);
    EXPECT_EQ(reader->info().irq_at, (std::vector<std::uint64_t>{5, 700}));
    EXPECT_EQ(reader->info().instructions, written.instructions);
    EXPECT_EQ(reader->info().cycles, written.cycles);
    EXPECT_EQ(reader->info().placeholder_cycles, written.placeholder_cycles);
    Record read;
    EXPECT_EQ(reader->walk(0, read.visitor()), std::nullopt);
    EXPECT_EQ(read.lines.size(), written.lines.size());
    EXPECT_TRUE(read.lines == written.lines);
    EXPECT_EQ(read.codes, written.codes);
}

// The stored events through fresh models are the run once more: same cycles, same causes, same bytes.
TEST(Trace, RetimedByTheSameModelIsTheSameFile) {
    Folder folder;
    synthetic::FakeImage image;
    image.file = {1, 2, 3};
    const auto run = [&](const char* name, auto&& feed) {
        const auto models = make_models(default_cpu_model, 2);
        const auto profile = make_profile(image);
        const auto writer = make_trace_writer(folder / name, start_info(), image);
        const auto pipeline = make_pipeline({models[0].get(), models[1].get()}, profile.get(), writer.get());
        feed(*pipeline);
        writer->finish(start_info());
        return profile->total();
    };
    const Spending live = run("live", [](EventSink& sink) { synthetic::RandomProgram(8).run(sink, 300'000); });
    const Spending again = run("again", [&](EventSink& sink) {
        EXPECT_EQ(TraceReader::open(folder / "live")->walk(0, replay_to(sink)), std::nullopt);
    });
    EXPECT_GT(live.cycles, 0u);
    EXPECT_EQ(live.cycles, again.cycles);
    EXPECT_EQ(live.by_wait, again.by_wait);
    EXPECT_TRUE(bytes_of(folder / "live") == bytes_of(folder / "again"));
    run("behind a thread", [](EventSink& sink) {
        synthetic::RandomProgram program(8);
        const auto threaded = make_threaded_sink(sink);
        program.run(*threaded, 300'000);
        threaded->finish();
    });
    EXPECT_TRUE(bytes_of(folder / "live") == bytes_of(folder / "behind a thread"));
}

class ThrowingSink final : public EventSink {
  public:
    std::uint64_t blocks = 0;
    void on_code(const CodeBlock&) override {}
    void on_block(const Block&) override {
        if (++blocks == 10'000) throw std::runtime_error("enough");
    }
    void on_input(const Input&) override {}
    void on_control(const Control&) override {}
    void on_transfer(const Transfer&) override {}
    void on_halt(const Halt&) override {}
};

TEST(ThreadedSink, FinishThrowsWhatTheSinkBehindThrew) {
    ThrowingSink behind;
    synthetic::RandomProgram program(8);
    const auto threaded = make_threaded_sink(behind);
    program.run(*threaded, 300'000);
    EXPECT_THROW(threaded->finish(), std::runtime_error);
    EXPECT_EQ(behind.blocks, 10'000u);  // and nothing after it
}

TEST(ThreadedSink, MayEndUnfinished) {
    ThrowingSink behind;
    synthetic::RandomProgram program(8);
    const auto threaded = make_threaded_sink(behind);
    program.run(*threaded, 20'000);
}

TEST(Trace, AnEventOfACpuThatTheRunDidNotHaveIsDamage) {
    Folder folder;
    synthetic::FakeImage image;
    image.file = {1, 2, 3};
    TraceInfo info = start_info();
    info.cpus = 1;
    const auto writer = make_trace_writer(folder / "t", info, image);
    writer->on_halt({5, 0, 0});
    writer->finish(info);
    const auto damage = TraceReader::open(folder / "t")->walk(0, {});
    ASSERT_TRUE(damage);
    EXPECT_NE(damage->find("a CPU that the run did not have"), std::string::npos) << *damage;
}

TEST(Trace, AnotherRevisionIsRefusedByName) {
    Folder folder;
    record(folder / "t.trace", 3, 1000);
    std::string bytes = bytes_of(folder / "t.trace");
    bytes[12] = 0;
    std::ofstream(folder / "old.trace", std::ios::binary) << bytes;
    try {
        TraceReader::open(folder / "old.trace");
        ADD_FAILURE() << "was read";
    } catch (const TraceError& error) {
        EXPECT_NE(std::string(error.what()).find("revision 0"), std::string::npos) << error.what();
        EXPECT_NE(std::string(error.what()).find("record the trace again"), std::string::npos) << error.what();
    }
}

TEST(Trace, WalkStartsWhereItIsAsked) {
    Folder folder;
    Record written = record(folder / "t.trace", 4, 3'000'000);
    auto reader = TraceReader::open(folder / "t.trace");
    for (InstructionIndex from : {std::uint64_t{1}, written.instructions / 2, written.instructions - 1}) {
        InstructionIndex first = 0;
        Cycle cycle = 0, last = 0;
        TraceVisitor visitor;
        visitor.instruction = [&](const TraceRecord& record) {
            if (last++ == 0) first = record.index;
            cycle = record.cycle;
            return true;
        };
        EXPECT_EQ(reader->walk(from, visitor), std::nullopt);
        EXPECT_EQ(first, from);
        EXPECT_EQ(last, written.instructions - from);
        EXPECT_LE(cycle, written.cycles);
        EXPECT_GT(cycle, written.cycles - 2000);
    }
}

TEST(Trace, VisitorEndsTheWalk) {
    Folder folder;
    record(folder / "t.trace", 5, 10'000);
    auto reader = TraceReader::open(folder / "t.trace");
    int seen = 0;
    TraceVisitor visitor;
    visitor.instruction = [&](const TraceRecord&) { return ++seen < 10; };
    EXPECT_EQ(reader->walk(0, visitor), std::nullopt);
    EXPECT_EQ(seen, 10);
}

TEST(Trace, SameRunSameBytes) {
    Folder folder;
    record(folder / "a.trace", 6, 1'000'000);
    record(folder / "b.trace", 6, 1'000'000);
    record(folder / "c.trace", 7, 1'000'000);
    EXPECT_EQ(bytes_of(folder / "a.trace"), bytes_of(folder / "b.trace"));
    EXPECT_NE(bytes_of(folder / "a.trace"), bytes_of(folder / "c.trace"));
}

TEST(Trace, ReplacesAnOldFileOnlyAtTheEnd) {
    Folder folder;
    std::ofstream(folder / "t.trace") << "old";
    {
        synthetic::FakeImage image;
        auto writer = make_trace_writer(folder / "t.trace", start_info(), image);
        EXPECT_EQ(bytes_of(folder / "t.trace"), "old");
    }
    EXPECT_EQ(bytes_of(folder / "t.trace"), "old");
    EXPECT_EQ(folder.files(), 1u);
    record(folder / "t.trace", 1, 1000);
    EXPECT_TRUE(TraceReader::open(folder / "t.trace")->info().complete);
    EXPECT_EQ(folder.files(), 1u);
}

TEST(Trace, RefusesPlacesItCannotWrite) {
    Folder folder;
    synthetic::FakeImage image;
    for (fs::path bad : {folder / "missing/t.trace", fs::path("/dev/null"), folder.path(), fs::path("/proc/t.trace")})
        EXPECT_THROW(make_trace_writer(bad, start_info(), image), TraceError) << bad;
    EXPECT_EQ(folder.files(), 0u);
}

std::string refusal(const fs::path& path) {
    synthetic::FakeImage image;
    try {
        make_trace_writer(path, start_info(), image);
    } catch (const TraceError& e) {
        return e.what();
    }
    return "";
}

TEST(Trace, LeavesFilesBesideItAlone) {
    Folder folder;
    std::ofstream(folder / "t.trace") << "old";
    std::ofstream(folder / "t.trace.part") << "mine";
    record(folder / "t.trace", 1, 1000);
    EXPECT_EQ(bytes_of(folder / "t.trace.part"), "mine");
    EXPECT_TRUE(TraceReader::open(folder / "t.trace")->info().complete);
    EXPECT_EQ(folder.files(), 2u);
}

TEST(Trace, AReadOnlyFileIsRefusedBeforeTheRun) {
    Folder folder;
    std::ofstream(folder / "t.trace") << "old";
    fs::permissions(folder / "t.trace", fs::perms(0444));
    EXPECT_NE(refusal(folder / "t.trace").find("t.trace: exists and is read-only"), std::string::npos);
    EXPECT_EQ(bytes_of(folder / "t.trace"), "old");
}

TEST(Trace, AReplacedFileKeepsItsMode) {
    Folder folder;
    std::ofstream(folder / "t.trace") << "old";
    fs::permissions(folder / "t.trace", fs::perms(0600));
    record(folder / "t.trace", 1, 1000);
    EXPECT_EQ(fs::status(folder / "t.trace").permissions(), fs::perms(0600));
}

TEST(Trace, ASymbolicLinkIsWrittenThrough) {
    Folder folder;
    fs::create_directory(folder / "there");
    for (const char* old : {"old", ""}) {  // the second time the target is not there yet
        if (*old) std::ofstream(folder / "there/real.trace") << old;
        else fs::remove(folder / "there/real.trace");
        fs::remove(folder / "link.trace");
        fs::create_symlink("there/real.trace", folder / "link.trace");
        record(folder / "link.trace", 1, 1000);
        EXPECT_TRUE(fs::is_symlink(folder / "link.trace"));
        EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder / "there/real.trace")));
        EXPECT_TRUE(TraceReader::open(folder / "there/real.trace")->info().complete);
    }
    fs::create_symlink("loop.trace", folder / "loop.trace");
    EXPECT_NE(refusal(folder / "loop.trace"), "");
}

TEST(Trace, ANameThatIsTooLongIsRefusedBeforeTheRun) {
    Folder folder;
    EXPECT_NE(refusal(folder.path() / std::string(300, 'x')).find("File name too long"), std::string::npos);
    EXPECT_NE(refusal(folder.path() / (std::string(5000, 'x') + "/t.trace")), "");
    const fs::path longest = folder.path() / std::string(255, 'x');
    record(longest, 1, 1000);
    record(longest, 1, 1000);  // also where there is one already
    EXPECT_TRUE(TraceReader::open(longest)->info().complete);
}

// Run with standard streams closed, the trace's file must not become one of them.
TEST(Trace, NeverTakesAStandardDescriptor) {
    Folder folder;
    for (int standard : {0, 1, 2}) {
        const int kept = fcntl(standard, F_DUPFD_CLOEXEC, 10);
        ASSERT_GE(kept, 0);
        close(standard);
        synthetic::FakeImage image;
        auto writer = make_trace_writer(folder / "t.trace", start_info(), image);
        const bool free = fcntl(standard, F_GETFD) < 0;
        writer->finish(start_info());
        auto reader = TraceReader::open(folder / "t.trace");
        const bool free_for_reader = fcntl(standard, F_GETFD) < 0;
        dup2(kept, standard);
        close(kept);
        EXPECT_TRUE(free) << standard;
        EXPECT_TRUE(free_for_reader) << standard;
    }
}

TEST(Trace, FullDiskKeepsWhatFits) {
    Folder folder;
    struct rlimit old {};
    getrlimit(RLIMIT_FSIZE, &old);
    auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small {
        300'000, old.rlim_max
    };
    setrlimit(RLIMIT_FSIZE, &small);
    std::string message;
    try {
        record(folder / "t.trace", 8, 3'000'000);
    } catch (const TraceError& e) {
        message = e.what();
    }
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    EXPECT_NE(message.find("are kept there and can be read"), std::string::npos) << message;
    auto reader = TraceReader::open(folder / "t.trace");
    EXPECT_FALSE(reader->info().complete);
    EXPECT_GT(reader->info().instructions, 0u);
    std::uint64_t seen = 0;
    TraceVisitor visitor;
    visitor.instruction = [&](const TraceRecord&) { return ++seen, true; };
    EXPECT_NE(reader->walk(0, visitor), std::nullopt);
    EXPECT_EQ(seen, reader->info().instructions);
    EXPECT_LE(reader->file_bytes(), 300'000u);
    EXPECT_EQ(folder.files(), 1u);
}

TEST(Trace, FullDiskFromTheStartKeepsNothing) {
    Folder folder;
    struct rlimit old {};
    getrlimit(RLIMIT_FSIZE, &old);
    auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small {
        40, old.rlim_max
    };
    setrlimit(RLIMIT_FSIZE, &small);
    EXPECT_THROW(record(folder / "t.trace", 8, 300'000), TraceError);
    setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(folder.files(), 0u);
}

TEST(Trace, StringInstructionOfManyPagesStaysSmall) {
    Folder folder;
    synthetic::CodeBuilder builder(0, synthetic::kernel_base);
    builder.special({0xf3, 0xaa}, Special::string).rep = true;
    CodeBlock code = builder.take();
    std::vector<Access> accesses;
    for (std::uint64_t i = 0; i < 100'000; ++i)
        accesses.push_back(
            {0, AccessKind::store, 8, false, 0x400000 + 8 * i, (i / 512 * 7919 % 4096) * 4096 + 8 * i % 4096});
    synthetic::FakeImage image;
    auto writer = make_trace_writer(folder / "t.trace", start_info(), image);
    writer->on_code(code);
    RetireTime time{1000, 3};
    writer->on_block({0, &code, 0, 1, 0, false, accesses}, {&time, 1});
    EXPECT_LT(writer->finish(start_info()), 10'000u);
    auto reader = TraceReader::open(folder / "t.trace");
    TraceVisitor visitor;
    std::size_t same = 0;
    visitor.instruction = [&](const TraceRecord& record) {
        EXPECT_EQ(record.accesses.size(), accesses.size());
        for (std::size_t i = 0; i < record.accesses.size(); ++i) same += text(record.accesses[i]) == text(accesses[i]);
        return true;
    };
    EXPECT_EQ(reader->walk(0, visitor), std::nullopt);
    EXPECT_EQ(same, accesses.size());
}

}  // namespace
