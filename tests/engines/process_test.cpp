// SPDX-License-Identifier: GPL-2.0-or-later
// Children and all that comes from them end when they should: at the end, at a limit, at a stop, and when exo-dev is
// killed; folders of a run go with it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sim/process/child.hpp>
#include <sim/process/temporary_folder.hpp>
#include <sstream>
#include <string>
#include <thread>

namespace sim {
namespace {

using namespace std::chrono_literals;

// Processes die a little after they are killed: looks again and again, for a minute at most.
template <typename Condition>
bool eventually(const Condition& condition) {
    for (int i = 0; i < 3000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(20ms);
    }
    return false;
}

// A zombie is no process any more; who reaps it in a container is not our business.
bool lives(int pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string text{std::istreambuf_iterator<char>(status), {}};
    const std::size_t end = text.rfind(')');
    return end != std::string::npos && text.substr(end + 2, 1) != "Z" && text.substr(end + 2, 1) != "X";
}

Child shell(const std::string& line) { return {.arguments = {"sh", "-c", line}, .folder = {}}; }

TEST(Process, StatusOutputAndErrors) {
    const ChildResult done = run_child(shell("echo out; echo err >&2; exit 7"));
    EXPECT_EQ(done.status, 7);
    EXPECT_EQ(done.signal, 0);
    EXPECT_EQ(done.output, "out\n");
    EXPECT_EQ(done.errors, "err\n");
    EXPECT_EQ(last_lines("a\nb\nc\n", 2), "b\nc");
}

TEST(Process, FolderEnvironmentAndInput) {
    Child child = shell("pwd; echo $EXO_TEST; cat | wc -c");
    child.folder = "/";
    child.environment = {{"EXO_TEST", "a b"}};
    EXPECT_EQ(run_child(child).output, "/\na b\n0\n");
}

TEST(Process, ThatIsNotThereIsNamed) {
    try {
        run_child({.arguments = {"/no/such/program"}, .folder = {}});
        FAIL() << "it ran";
    } catch (const ProcessError& error) {
        EXPECT_STREQ(error.what(), "/no/such/program: cannot be run: No such file or directory");
    }
    Child child = shell("true");
    child.folder = "/no/such/folder";
    EXPECT_THROW(run_child(child), ProcessError);
}

TEST(Process, TimeLimitAlsoWhenSigintIsIgnored) {
    Child child = shell("trap '' INT; sleep 600 & wait; sleep 600");
    child.timeout_s = 0.1;
    const ChildResult result = run_child(child);
    EXPECT_TRUE(result.timed_out);
    EXPECT_EQ(result.signal, SIGKILL);
}

TEST(Process, StopFlag) {
    std::atomic<bool> stop = false;
    Child child = shell("echo ready; exec sleep 600");
    child.stop = &stop;
    child.on_output = [&](std::string_view) { stop = true; };
    const ChildResult result = run_child(child);
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(result.signal, SIGINT);
}

TEST(Process, FloodIsBounded) {
    Child child = shell("exec cat /dev/zero");
    child.output_limit = 100'000;
    const ChildResult result = run_child(child);
    EXPECT_TRUE(result.flooded);
    EXPECT_EQ(result.output.size(), 100'000u);
}

TEST(Process, DaemonsOfItEndWithIt) {
    const TemporaryFolder folder;
    Child child = shell("setsid sh -c 'echo $$; : >up; exec sleep 600' & while [ ! -e up ]; do sleep 0.02; done");
    child.folder = folder.path();
    const ChildResult result = run_child(child);
    ASSERT_FALSE(result.output.empty());
    EXPECT_FALSE(lives(std::stoi(result.output)));
}

TEST(Process, DestructorKills) {
    int pid = 0;
    {
        ChildProcess process(shell("exec sleep 600"));
        pid = process.pid();
        EXPECT_TRUE(lives(pid));
    }
    EXPECT_FALSE(lives(pid));
}

TEST(Process, OutlivesTheThreadThatStartedIt) {
    std::unique_ptr<ChildProcess> process;
    std::thread([&] { process = std::make_unique<ChildProcess>(shell("sleep 0.2; echo still here")); }).join();
    EXPECT_EQ(process->wait().output, "still here\n");
}

TEST(Process, TerminalIsOne) {
    Child child = shell("test -t 0 && test -t 1 && test -t 2 && stty size");
    child.terminal = true;
    EXPECT_EQ(run_child(child).output, "24 80\r\n");
}

TEST(Process, DescriptorsAreInheritedOnRequestOnly) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);  // not close-on-exec
    Child child = shell("ls /proc/self/fd | wc -l; echo through >&" + std::to_string(ends[1]));
    const ChildResult refused = run_child(child);
    EXPECT_NE(refused.status, 0);
    child.inherit = {ends[1]};
    EXPECT_EQ(run_child(child).status, 0);
    char text[8] = {};
    EXPECT_EQ(read(ends[0], text, sizeof text), 8);
    EXPECT_EQ(std::string_view(text, 7), "through");
    close(ends[0]);
    close(ends[1]);
}

TEST(Process, AKilledGuardTakesItsProgramWithIt) {
    ChildProcess process(shell("echo $PPID; exec sleep 600"));
    std::string guard;
    ASSERT_TRUE(eventually([&] {
        process.pump(10ms);
        guard = process.result().output;
        return !guard.empty();
    }));
    kill(std::stoi(guard), SIGKILL);
    EXPECT_EQ(process.wait().signal, SIGKILL);
    EXPECT_TRUE(eventually([&] { return !lives(process.pid()); }));
}

// What a kill -9 of exo-dev does: in a fork, a child with a daemon of its own and a private folder.
TEST(Process, NothingOutlivesUsWhenKilled) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t us = fork();
    if (us == 0) {
        const TemporaryFolder folder;
        Child child = shell("setsid sleep 600 & echo $! $$ $PPID; wait");
        child.on_output = [&](std::string_view text) {
            const std::string line = folder.path().string() + " " + std::string(text);
            if (write(ends[1], line.data(), line.size()) < 0) _exit(1);
        };
        run_child(child);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = {};
    ASSERT_GT(read(ends[0], text, sizeof text - 1), 0);
    std::istringstream words(text);
    std::string folder;
    int daemon = 0, program = 0, guard = 0;
    words >> folder >> daemon >> program >> guard;
    EXPECT_TRUE(lives(daemon) && lives(program) && lives(guard)) << text;
    EXPECT_TRUE(std::filesystem::exists(folder));
    kill(us, SIGKILL);
    waitpid(us, nullptr, 0);
    EXPECT_TRUE(eventually([&] { return !lives(daemon) && !lives(program) && !lives(guard); })) << text;
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(folder); })) << folder;
    close(ends[0]);
}

TEST(TemporaryFolder, GoesWithItsOwner) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t us = fork();
    if (us == 0) {
        const TemporaryFolder folder;
        if (write(ends[1], folder.path().c_str(), folder.path().string().size()) > 0) pause();
        _exit(1);
    }
    char path[512] = {};
    ASSERT_GT(read(ends[0], path, sizeof path - 1), 0);
    EXPECT_TRUE(std::filesystem::exists(path));
    kill(us, SIGKILL);
    waitpid(us, nullptr, 0);
    EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(path); })) << path;
    close(ends[0]);
    close(ends[1]);
}

TEST(TemporaryFolder, IsPrivateAndGoes) {
    std::filesystem::path path;
    {
        const TemporaryFolder folder, other;
        path = folder.path();
        EXPECT_NE(path, other.path());
        EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
        std::ofstream(path / "file") << "text";
    }
    EXPECT_FALSE(std::filesystem::exists(path));
}

struct TmpDir : testing::Test {
    void SetUp() override {
        if (const char* value = std::getenv("TMPDIR")) before_ = value;
    }
    void TearDown() override { before_ ? setenv("TMPDIR", before_->c_str(), 1) : unsetenv("TMPDIR"); }
    std::optional<std::string> before_;
};

TEST_F(TmpDir, ThatCannotBeWrittenIsNamed) {
    setenv("TMPDIR", "/proc", 1);
    try {
        const TemporaryFolder folder;
        FAIL() << folder.path();
    } catch (const ProcessError& error) {
        EXPECT_NE(std::string(error.what()).find("/proc: no folder can be made there"), std::string::npos);
    }
}

TEST_F(TmpDir, FoldersOfTheDeadAreRemovedThoseOfTheLivingStay) {
    const TemporaryFolder parent;
    setenv("TMPDIR", parent.path().c_str(), 1);
    const TemporaryFolder living;
    const auto dead = parent.path() / "exo-dev-run.dead00", young = parent.path() / "exo-dev-run.young0",
               foreign = parent.path() / "exo-dev-run.mine";
    for (const auto& path : {dead, young, foreign}) std::filesystem::create_directory(path);
    for (const auto& path : {dead, young}) std::ofstream(path / ".exo-dev") << "";
    const auto old = std::filesystem::file_time_type::clock::now() - 1h;
    std::filesystem::last_write_time(dead, old);
    std::filesystem::last_write_time(foreign, old);
    std::filesystem::last_write_time(living.path(), old);
    const TemporaryFolder next;
    EXPECT_FALSE(std::filesystem::exists(dead));
    EXPECT_TRUE(std::filesystem::exists(young));
    EXPECT_TRUE(std::filesystem::exists(foreign));
    EXPECT_TRUE(std::filesystem::exists(living.path()));
}

}  // namespace
}  // namespace sim
