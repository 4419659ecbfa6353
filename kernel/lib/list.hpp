// SPDX-License-Identifier: MIT
// An intrusive doubly linked list: the node lives in the object, so linking never allocates and never fails.
// Circular with a sentinel: insertion and removal have no branches. An object is in at most one list a node; linking
// it twice asserts. The list neither owns nor locks anything.
#pragma once
#include <core/assert.hpp>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace exo {

struct ListNode {
    ListNode* next = nullptr;  // both null while in no list
    ListNode* previous = nullptr;

    constexpr ListNode() = default;
    ListNode(const ListNode&) = delete;  // neighbours point here
    ListNode& operator=(const ListNode&) = delete;
    constexpr bool linked() const { return next != nullptr; }
};

template <typename T, ListNode T::*member>
class List {
    template <typename Value>
    class Cursor {
      public:
        using value_type = Value;
        using difference_type = std::ptrdiff_t;

        constexpr Cursor() = default;
        explicit constexpr Cursor(ListNode* node) : node_(node) {}
        Value& operator*() const { return *object_of(node_); }
        Value* operator->() const { return object_of(node_); }
        Cursor& operator++() {
            node_ = node_->next;
            return *this;
        }
        Cursor operator++(int) {
            Cursor before = *this;
            ++*this;
            return before;
        }
        constexpr bool operator==(const Cursor&) const = default;

      private:
        ListNode* node_ = nullptr;
    };

  public:
    using iterator = Cursor<T>;
    using const_iterator = Cursor<const T>;

    constexpr List() { head_.next = head_.previous = &head_; }
    List(const List&) = delete;
    List& operator=(const List&) = delete;

    bool empty() const { return head_.next == &head_; }
    T& front() const {
        EXO_ASSERT(!empty());
        return *object_of(head_.next);
    }
    T& back() const {
        EXO_ASSERT(!empty());
        return *object_of(head_.previous);
    }
    void push_front(T& object) { link(head_, object); }
    void push_back(T& object) { link(*head_.previous, object); }
    void insert_before(T& place, T& object) { link(*(place.*member).previous, object); }
    void insert_after(T& place, T& object) { link(place.*member, object); }

    // Takes the first object out; null if there is none.
    T* pop_front() {
        if (empty()) return nullptr;
        T* object = object_of(head_.next);
        remove(*object);
        return object;
    }
    // The object must be in this list: which list it is in cannot be told from the node.
    static void remove(T& object) {
        ListNode& node = object.*member;
        EXO_ASSERT(node.linked());
        node.next->previous = node.previous;
        node.previous->next = node.next;
        node.next = node.previous = nullptr;
    }
    T* next(T& object) const { return object_or_null((object.*member).next); }
    T* previous(T& object) const { return object_or_null((object.*member).previous); }

    // Counts by walking: for tests and checks.
    std::size_t length() const {
        std::size_t count = 0;
        for (const ListNode* node = head_.next; node != &head_; node = node->next) ++count;
        return count;
    }

    // An object must not be removed while a cursor stands on it: advance first.
    iterator begin() { return iterator(head_.next); }
    iterator end() { return iterator(&head_); }
    const_iterator begin() const { return const_iterator(head_.next); }
    const_iterator end() const { return const_iterator(const_cast<ListNode*>(&head_)); }

  private:
    static void link(ListNode& before, T& object) {
        ListNode& node = object.*member;
        EXO_ASSERT(!node.linked());
        node.previous = &before;
        node.next = before.next;
        before.next->previous = &node;
        before.next = &node;
    }
    T* object_or_null(ListNode* node) const { return node == &head_ ? nullptr : object_of(node); }
    // offsetof does not take a pointer to member; the compiler folds this to a constant.
    static T* object_of(ListNode* node) {
        constexpr std::uintptr_t any = 1u << 20;
        const auto offset = reinterpret_cast<std::uintptr_t>(&(reinterpret_cast<T*>(any)->*member)) - any;
        return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(node) - offset);
    }

    ListNode head_;
};

}  // namespace exo
