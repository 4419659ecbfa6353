// SPDX-License-Identifier: GPL-2.0-or-later
// A few batches go round: one is filled, others wait or are worked on. A full round makes the engine wait.
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <sim/trace/threaded_sink.hpp>
#include <thread>
#include <variant>
#include <vector>

namespace sim {
namespace {

struct StoredBlock {
    Block block;  // without its accesses
    std::size_t access_count;
};

// The accesses of all blocks lie one after the other.
struct Batch {
    std::vector<std::variant<StoredBlock, const CodeBlock*, Input, Control, Transfer, Halt>> events;
    std::vector<Access> accesses;

    static constexpr std::size_t events_most = 4096, accesses_most = 16384;
    bool full() const { return events.size() >= events_most || accesses.size() >= accesses_most; }
    void clear() {
        events.clear();
        accesses.clear();
    }
    void tell(EventSink& sink) const {
        std::span<const Access> rest = accesses;
        for (const auto& event : events) {
            if (const auto* stored = std::get_if<StoredBlock>(&event)) [[likely]] {
                Block block = stored->block;
                block.accesses = rest.first(stored->access_count);
                rest = rest.subspan(stored->access_count);
                sink.on_block(block);
                continue;
            }
            std::visit([&sink](const auto& other) { tell_other(sink, other); }, event);
        }
    }

  private:
    static void tell_other(EventSink&, const StoredBlock&) {}
    static void tell_other(EventSink& sink, const CodeBlock* code) { sink.on_code(*code); }
    static void tell_other(EventSink& sink, const Input& input) { sink.on_input(input); }
    static void tell_other(EventSink& sink, const Control& control) { sink.on_control(control); }
    static void tell_other(EventSink& sink, const Transfer& transfer) { sink.on_transfer(transfer); }
    static void tell_other(EventSink& sink, const Halt& halt) { sink.on_halt(halt); }
};

class ThreadedSinkImpl final : public ThreadedSink {
  public:
    explicit ThreadedSinkImpl(EventSink& behind) : behind_(behind), free_(rounds - 1) {
        thread_ = std::thread([this] { work(); });
    }
    ~ThreadedSinkImpl() override {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

    void on_code(const CodeBlock& code) override { add(&code); }
    void on_block(const Block& block) override {
        filling_.accesses.insert(filling_.accesses.end(), block.accesses.begin(), block.accesses.end());
        StoredBlock stored{block, block.accesses.size()};
        stored.block.accesses = {};
        add(stored);
    }
    void on_input(const Input& input) override { add(input); }
    void on_control(const Control& control) override { add(control); }
    void on_transfer(const Transfer& transfer) override { add(transfer); }
    void on_halt(const Halt& halt) override { add(halt); }

    void finish() override {
        if (!filling_.events.empty()) submit();
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return waiting_.empty() && !busy_; });
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    static constexpr std::size_t rounds = 4;

    template <class Event>
    void add(const Event& event) {
        filling_.events.emplace_back(event);
        if (filling_.full()) submit();
    }

    void submit() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !free_.empty(); });
        waiting_.push_back(std::move(filling_));
        filling_ = std::move(free_.back());
        free_.pop_back();
        lock.unlock();
        changed_.notify_all();
    }

    void work() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
            if (over_) return;
            Batch batch = std::move(waiting_.front());
            waiting_.pop_front();
            busy_ = true;
            const bool failed = failure_ != nullptr;
            lock.unlock();
            std::exception_ptr failure;
            try {
                if (!failed) batch.tell(behind_);
            } catch (...) {
                failure = std::current_exception();
            }
            batch.clear();
            lock.lock();
            if (failure) failure_ = failure;
            busy_ = false;
            free_.push_back(std::move(batch));
            changed_.notify_all();
        }
    }

    EventSink& behind_;
    Batch filling_;  // the engine's thread's own
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Batch> waiting_;
    std::vector<Batch> free_;
    bool busy_ = false, over_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<ThreadedSink> make_threaded_sink(EventSink& behind) {
    return std::make_unique<ThreadedSinkImpl>(behind);
}

}  // namespace sim
