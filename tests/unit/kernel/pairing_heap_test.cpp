// SPDX-License-Identifier: MIT
// The pairing heap beside a multiset: what is minimal must always be as small as the reference says.
#include <gtest/gtest.h>

#include <algorithm>
#include <lib/pairing_heap.hpp>
#include <random>
#include <set>
#include <vector>

namespace exo {
namespace {

struct Item {
    int before = 0;  // the node is not at offset 0
    unsigned key = 0;
    HeapNode node;
};
bool smaller(const Item& a, const Item& b) { return a.key < b.key; }
using Heap = PairingHeap<Item, &Item::node, smaller>;

void expect_sorted_drain(Heap& heap, std::size_t count) {
    unsigned last = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Item* item = heap.minimum();
        ASSERT_NE(item, nullptr);
        ASSERT_GE(item->key, last);
        last = item->key;
        heap.remove(*item);
        ASSERT_FALSE(item->node.linked);
    }
    ASSERT_TRUE(heap.empty());
    ASSERT_EQ(heap.minimum(), nullptr);
}

TEST(PairingHeap, EmptyAndSingle) {
    Heap heap;
    EXPECT_TRUE(heap.empty());
    EXPECT_EQ(heap.minimum(), nullptr);
    Item item{.key = 3};
    heap.insert(item);
    EXPECT_EQ(heap.minimum(), &item);
    heap.remove(item);
    EXPECT_TRUE(heap.empty());
    heap.insert(item);
    EXPECT_EQ(heap.minimum(), &item) << "an element that was removed can come back";
}

TEST(PairingHeap, EveryOrderOfInsertionAndEveryRemoval) {
    std::vector<unsigned> order{0, 1, 2, 3, 4, 5};
    do {
        for (unsigned removed = 0; removed <= order.size(); ++removed) {  // the last: none
            Heap heap;
            std::vector<Item> items(order.size());
            for (std::size_t i = 0; i < order.size(); ++i) {
                items[i].key = order[i];
                heap.insert(items[i]);
            }
            if (removed < order.size()) heap.remove(items[removed]);
            expect_sorted_drain(heap, removed < order.size() ? order.size() - 1 : order.size());
            if (HasFatalFailure()) return;
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST(PairingHeap, MatchesAMultisetUnderRandomOperations) {
    std::mt19937_64 random(11);
    for (const unsigned key_limit : {3u, 50u, 1u << 30}) {  // many equal keys, some, none
        Heap heap;
        std::vector<Item> items(300);
        std::multiset<unsigned> model;
        for (int step = 0; step < 60000; ++step) {
            Item& item = items[random() % items.size()];
            if (step % 5 == 0 && !model.empty()) {
                Item& first = *heap.minimum();
                model.erase(model.find(first.key));
                heap.remove(first);
            } else if (item.node.linked) {
                model.erase(model.find(item.key));
                heap.remove(item);
            } else {
                item.key = static_cast<unsigned>(random() % key_limit);
                model.insert(item.key);
                heap.insert(item);
            }
            ASSERT_EQ(heap.empty(), model.empty());
            if (!model.empty()) {
                ASSERT_EQ(heap.minimum()->key, *model.begin());
            }
        }
        expect_sorted_drain(heap, model.size());
    }
}

TEST(PairingHeap, AMillionInsertedInOrderDoNotRecurse) {
    std::vector<Item> items(1'000'000);
    Heap heap;
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i].key = static_cast<unsigned>(i);
        heap.insert(items[i]);
    }
    expect_sorted_drain(heap, items.size());
}

TEST(PairingHeap, LinkingTwiceAndRemovingTwiceAssert) {
    Heap heap;
    Item item{.key = 1};
    heap.insert(item);
    EXPECT_DEATH(heap.insert(item), "!node.linked");
    heap.remove(item);
    EXPECT_DEATH(heap.remove(item), "node.linked");
}

}  // namespace
}  // namespace exo
