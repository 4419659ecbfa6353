// SPDX-License-Identifier: MIT
// An intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): insert and minimum in constant time, removal of
// any element in amortised O(log n). For deadlines: most are removed long before they are the minimum. Never allocates.
#pragma once
#include <core/assert.hpp>

namespace exo {

struct HeapNode {
    HeapNode* child = nullptr;
    HeapNode* sibling = nullptr;
    HeapNode* previous = nullptr;  // the left sibling, or the parent of a first child
    bool linked = false;
};

// `before(a, b)` orders T; `T::*member` is the node. Equal elements come out in no stated order.
template <typename T, HeapNode T::*member, bool (*before)(const T&, const T&)>
class PairingHeap {
  public:
    constexpr PairingHeap() = default;
    PairingHeap(const PairingHeap&) = delete;
    PairingHeap& operator=(const PairingHeap&) = delete;

    bool empty() const { return root_ == nullptr; }
    T* minimum() const { return root_ == nullptr ? nullptr : object_of(root_); }

    void insert(T& object) {
        HeapNode& node = object.*member;
        EXO_ASSERT(!node.linked);
        node = HeapNode{nullptr, nullptr, nullptr, true};
        root_ = meld(root_, &node);
    }
    void remove(T& object) {
        HeapNode& node = object.*member;
        EXO_ASSERT(node.linked);
        if (&node == root_) {
            root_ = merge_children(node);
        } else {
            unlink(node);
            root_ = meld(root_, merge_children(node));
        }
        if (root_ != nullptr) root_->previous = root_->sibling = nullptr;
        node = HeapNode{};
    }

  private:
    static void unlink(HeapNode& node) {
        if (node.previous->child == &node) node.previous->child = node.sibling;
        else node.previous->sibling = node.sibling;
        if (node.sibling != nullptr) node.sibling->previous = node.previous;
        node.sibling = node.previous = nullptr;
    }
    static HeapNode* meld(HeapNode* a, HeapNode* b) {
        if (a == nullptr) return b;
        if (b == nullptr) return a;
        if (before(*object_of(b), *object_of(a))) {
            HeapNode* swap = a;
            a = b;
            b = swap;
        }
        b->previous = a;
        b->sibling = a->child;
        if (a->child != nullptr) a->child->previous = b;
        a->child = b;
        return a;
    }
    // The usual two passes: pairs from left to right, then the pairs from right to left.
    static HeapNode* merge_children(HeapNode& node) {
        HeapNode* pairs = nullptr;
        for (HeapNode* first = node.child; first != nullptr;) {
            HeapNode* second = first->sibling;
            HeapNode* rest = second == nullptr ? nullptr : second->sibling;
            first->sibling = first->previous = nullptr;
            if (second != nullptr) second->sibling = second->previous = nullptr;
            HeapNode* pair = meld(first, second);
            pair->sibling = pairs;
            pairs = pair;
            first = rest;
        }
        HeapNode* result = nullptr;
        while (pairs != nullptr) {
            HeapNode* next = pairs->sibling;
            pairs->sibling = nullptr;
            result = meld(result, pairs);
            pairs = next;
        }
        node.child = nullptr;
        return result;
    }
    static T* object_of(HeapNode* node) {
        constexpr std::uintptr_t any = 1u << 20;
        const auto offset = reinterpret_cast<std::uintptr_t>(&(reinterpret_cast<T*>(any)->*member)) - any;
        return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(node) - offset);
    }

    HeapNode* root_ = nullptr;
};

}  // namespace exo
