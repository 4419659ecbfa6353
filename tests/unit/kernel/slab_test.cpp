// SPDX-License-Identifier: MIT
// Slab caches and the heap: objects hold patterns that any overlap or loss would disturb.
#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "memory_fixture.hpp"

namespace exo {
namespace {

constinit SlabCache small("test-small", 1);
constinit SlabCache odd("test-odd", 72, 8);
constinit SlabCache lines("test-lines", 64, 64);
constinit SlabCache large("test-large", 5000, 256);
constinit SlabCache pages("test-pages", 4096, 4096);
constinit SlabCache* const caches[] = {&small, &odd, &lines, &large, &pages};

class SlabTest : public test::MemoryTest {
  protected:
    std::mt19937_64 random_{7};
};

struct Object {
    void* at;
    std::size_t bytes;
    unsigned char pattern;
    void fill() const { std::memset(at, pattern, bytes); }
    bool intact() const {
        const auto* byte = static_cast<const unsigned char*>(at);
        return std::all_of(byte, byte + bytes, [this](unsigned char b) { return b == pattern; });
    }
};

TEST_F(SlabTest, ObjectsKeepTheirContents) {
    for (SlabCache* cache : caches) {
        std::vector<Object> objects;
        for (int step = 0; step < 6000; ++step) {
            const bool filling = (step / 700) % 2 == 0;
            if (random_() % 8 < (filling ? 6u : 2u)) {
                Object object{cache->allocate(), cache->stride(), static_cast<unsigned char>(random_())};
                ASSERT_NE(object.at, nullptr);
                object.fill();
                objects.push_back(object);
            } else if (!objects.empty()) {
                std::swap(objects[random_() % objects.size()], objects.back());
                ASSERT_TRUE(objects.back().intact());
                cache->free(objects.back().at);
                objects.pop_back();
            }
        }
        for (const Object& object : objects) {
            ASSERT_TRUE(object.intact());
            cache->free(object.at);
        }
        const SlabStats stats = cache->stats();
        EXPECT_GE(stats.objects, stats.available);
        expect_all_returned();
        EXPECT_EQ(cache->stats().slabs, 0u);
    }
}

TEST_F(SlabTest, ObjectsAreAligned) {
    const std::pair<SlabCache*, std::size_t> cases[] = {
        {&small, 16}, {&odd, 16}, {&lines, 64}, {&large, 256}, {&pages, 4096}};
    for (const auto& [cache, alignment] : cases) {
        std::vector<void*> objects;
        for (int i = 0; i < 100; ++i) {
            objects.push_back(cache->allocate());
            ASSERT_EQ(reinterpret_cast<std::uintptr_t>(objects.back()) % alignment, 0u) << cache->name();
        }
        for (void* object : objects) cache->free(object);
    }
}

TEST_F(SlabTest, ExhaustionIsANullPointerAndRecovers) {
    std::vector<void*> objects;
    while (void* object = large.allocate()) objects.push_back(object);
    EXPECT_GT(objects.size() * 5000, initial_.free_frames * page_bytes / 2);
    EXPECT_EQ(large.allocate(), nullptr);
    large.free(objects.back());
    objects.back() = large.allocate();
    ASSERT_NE(objects.back(), nullptr);
    for (void* object : objects) large.free(object);
}

TEST_F(SlabTest, EmptySlabsGoBackBeyondOne) {
    std::vector<void*> objects;
    for (int i = 0; i < 5000; ++i) objects.push_back(lines.allocate());
    const std::uint64_t slabs_at_peak = lines.stats().slabs;
    for (void* object : objects) lines.free(object);
    // What is left: one empty slab and at most the slabs that objects of the magazine lie in.
    EXPECT_GE(slabs_at_peak, 5000 / lines.objects_per_slab());
    EXPECT_LE(lines.stats().slabs, 4u);
}

TEST_F(SlabTest, TheHeapServesEverySize) {
    std::multimap<std::size_t, Object> objects;
    for (std::size_t bytes = 0; bytes <= 2100; ++bytes) {
        Object object{heap_allocate(bytes), bytes, static_cast<unsigned char>(bytes)};
        ASSERT_NE(object.at, nullptr);
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(object.at) % (bytes % 64 == 0 && bytes != 0 ? 64 : 16), 0u) << bytes;
        object.fill();
        objects.emplace(bytes, object);
    }
    for (const std::size_t bytes : {std::size_t{4096}, std::size_t{4097}, std::size_t{1} << 20, std::size_t{4} << 20}) {
        Object object{heap_allocate(bytes), bytes, 0x3c};
        ASSERT_NE(object.at, nullptr);
        object.fill();
        objects.emplace(bytes, object);
    }
    for (const auto& [bytes, object] : objects) {
        ASSERT_TRUE(object.intact()) << bytes;
        heap_free(object.at, bytes);
    }
    EXPECT_EQ(heap_allocate((std::size_t{4} << 20) + 1), nullptr);
    EXPECT_EQ(heap_allocate(~std::size_t{0}), nullptr);
    heap_free(nullptr, 100);
}

TEST_F(SlabTest, HeapClassesAreTight) {
    for (std::size_t bytes = 1; bytes <= heap_largest_class; ++bytes) {
        const std::size_t index = heap_class(bytes);
        ASSERT_GE(heap_class_sizes[index], bytes);
        if (index != 0) {
            ASSERT_LT(heap_class_sizes[index - 1], bytes);
        }
        ASSERT_EQ(heap_caches[index].stride(), heap_class_sizes[index]);
    }
}

struct Widget {
    Widget(int a, int& count) : value(a), alive(count) { ++alive; }
    ~Widget() { --alive; }
    int value;
    int& alive;
};
constinit ObjectCache<Widget> widgets("test-widget");

TEST_F(SlabTest, ObjectCachesConstructAndDestroy) {
    int alive = 0;
    Widget* widget = *widgets.make(9, alive);
    EXPECT_EQ(widget->value, 9);
    EXPECT_EQ(alive, 1);
    widgets.destroy(*widget);
    EXPECT_EQ(alive, 0);
    slab_trim();
    frames_fail_nth(1);
    EXPECT_EQ(widgets.make(9, alive).error(), Error::no_memory);
    EXPECT_EQ(alive, 0);
}

#if EXO_SLAB_DEBUG
TEST_F(SlabTest, MisuseAsserts) {
    void* object = lines.allocate();
    void* other = lines.allocate();
    EXPECT_DEATH(odd.free(object), "slab.cache == this");
    EXPECT_DEATH(lines.free(static_cast<std::byte*>(object) + 16), "% stride_");
    EXPECT_DEATH(heap_free(object, 64), "slab.cache == this");
    lines.free(object);
    EXPECT_DEATH(lines.free(object), "free_canary");
    EXPECT_DEATH(
        {
            static_cast<unsigned char*>(object)[40] = 1;
            (void)lines.allocate();
        },
        "untouched");
    EXPECT_DEATH(
        {
            static_cast<unsigned char*>(object)[8] ^= 1;
            (void)lines.allocate();
        },
        "free_canary");
    lines.free(other);
}
#endif

}  // namespace
}  // namespace exo
