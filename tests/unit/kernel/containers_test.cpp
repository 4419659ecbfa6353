// SPDX-License-Identifier: MIT
// Lists and bitmaps: random operations beside the standard library's containers.
#include <gtest/gtest.h>

#include <deque>
#include <lib/bitmap.hpp>
#include <lib/bitmap_tree.hpp>
#include <lib/list.hpp>
#include <random>
#include <set>
#include <vector>

namespace exo {
namespace {

struct Item {
    int before = 0;  // the node is not at offset 0
    ListNode node;
    ListNode other_node;
};
using Items = List<Item, &Item::node>;
constinit Items global_list;

std::vector<const Item*> contents(const Items& list) {
    std::vector<const Item*> found;
    for (const Item& item : list) found.push_back(&item);
    return found;
}

TEST(List, MatchesADequeUnderRandomOperations) {
    std::mt19937_64 random(1);
    std::vector<Item> items(40);
    Items list;
    std::deque<Item*> model;
    for (int step = 0; step < 20000; ++step) {
        Item& item = items[random() % items.size()];
        const auto place = std::find(model.begin(), model.end(), &item);
        ASSERT_EQ(item.node.linked(), place != model.end());
        switch (random() % 6) {
            case 0:
                if (place == model.end()) list.push_back(item), model.push_back(&item);
                break;
            case 1:
                if (place == model.end()) list.push_front(item), model.push_front(&item);
                break;
            case 2:
                if (place != model.end()) list.remove(item), model.erase(place);
                break;
            case 3: {
                Item* first = list.pop_front();
                ASSERT_EQ(first, model.empty() ? nullptr : model.front());
                if (first != nullptr) model.pop_front();
                break;
            }
            default:
                if (place != model.end() || model.empty()) break;
                const std::size_t at = random() % model.size();
                if (random() % 2 == 0) {
                    list.insert_before(*model[at], item);
                    model.insert(model.begin() + static_cast<long>(at), &item);
                } else {
                    list.insert_after(*model[at], item);
                    model.insert(model.begin() + static_cast<long>(at) + 1, &item);
                }
        }
        ASSERT_EQ(list.empty(), model.empty());
        ASSERT_EQ(contents(list), std::vector<const Item*>(model.begin(), model.end()));
        if (!model.empty()) {
            ASSERT_EQ(&list.front(), model.front());
            ASSERT_EQ(&list.back(), model.back());
            ASSERT_EQ(list.previous(*model.front()), nullptr);
            ASSERT_EQ(list.next(*model.back()), nullptr);
        }
    }
}

TEST(List, AnObjectMayBeInAListANode) {
    List<Item, &Item::other_node> second;
    Item item;
    global_list.push_back(item);
    second.push_back(item);
    EXPECT_EQ(&second.front(), &item);
    global_list.remove(item);
    EXPECT_EQ(second.pop_front(), &item);
}

TEST(ListDeath, MisuseAsserts) {
    Items list;
    Item item;
    EXPECT_DEATH(list.remove(item), "node.linked\\(\\)");
    EXPECT_DEATH((void)list.front(), "!empty\\(\\)");
    list.push_back(item);
    EXPECT_DEATH(list.push_front(item), "!node.linked\\(\\)");
}

template <typename Set>
std::size_t model_find(const Set& set, std::size_t from) {
    const auto at = set.lower_bound(from);
    return at == set.end() ? no_bit : *at;
}

TEST(Bitmap, MatchesASetUnderRandomOperations) {
    std::mt19937_64 random(2);
    for (const std::size_t bits : {1, 2, 63, 64, 65, 127, 128, 129, 700}) {
        // The words past the end of the map are garbage that must not show.
        std::vector<std::uint64_t> words(BitmapView::words_for(bits), ~std::uint64_t{0});
        BitmapView map(words.data(), bits);
        std::set<std::size_t> set, clear;
        for (std::size_t i = 0; i < bits; ++i) set.insert(i);
        for (int step = 0; step < 4000; ++step) {
            const std::size_t at = random() % bits;
            if (random() % 2 != 0) map.set(at), set.insert(at), clear.erase(at);
            else map.clear(at), set.erase(at), clear.insert(at);
            const std::size_t from = random() % (bits + 3);
            ASSERT_EQ(map.find_set(from), model_find(set, from));
            ASSERT_EQ(map.find_clear(from), model_find(clear, from));
            ASSERT_EQ(map.test(at), set.contains(at));
            ASSERT_EQ(map.count(), set.size());
        }
    }
}

TEST(Bitmap, WorksAtCompileTime) {
    constexpr bool good = [] {
        Bitmap<70> map;
        map.set(69);
        map.set(3);
        map.clear(3);
        return map.find_set() == 69 && map.find_clear() == 0 && map.count() == 1 && map.any();
    }();
    static_assert(good);
}

TEST(BitmapTree, MatchesASetUnderRandomOperations) {
    std::mt19937_64 random(3);
    for (const std::size_t bits : {1ul, 64ul, 65ul, 4096ul, 4097ul, 300000ul}) {
        const std::size_t needed = BitmapTree::words_for(bits);
        std::vector<std::uint64_t> words(needed + 1, 0);
        words.back() = 0x5555;
        BitmapTree tree(words.data(), bits);
        std::set<std::size_t> model;
        for (int step = 0; step < 20000; ++step) {
            // Runs of sets and of clears, so that the tree fills and empties.
            const bool clearing = (step / 500) % 2 != 0 && !model.empty();
            const std::size_t at = clearing && random() % 4 != 0 ? *model.begin() : random() % bits;
            if (clearing) tree.clear(at), model.erase(at);
            else tree.set(at), model.insert(at);
            ASSERT_EQ(tree.any(), !model.empty());
            if (!model.empty()) {
                ASSERT_EQ(tree.lowest(), *model.begin());
            }
            ASSERT_EQ(tree.test(at), model.contains(at));
        }
        while (!model.empty()) tree.clear(*model.begin()), model.erase(model.begin());
        for (std::size_t i = 0; i < needed; ++i) ASSERT_EQ(words[i], 0u);
        EXPECT_EQ(words.back(), 0x5555u) << "wrote past words_for";
    }
}

}  // namespace
}  // namespace exo
