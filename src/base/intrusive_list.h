// SPDX-License-Identifier: Apache-2.0
// IntrusiveList: a doubly linked list whose links are members of the elements, so that linking
// never allocates and an element can leave the list it is in without knowing which one that is.
#pragma once

#include "base/check.h"

namespace leat {

// Base of what can be linked. `Tag` lets one object stand in several lists.
template <class Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  bool is_linked() const { return next_ != nullptr; }
  void unlink() {
    if (next_ == nullptr) return;
    next_->prev_ = prev_;
    prev_->next_ = next_;
    next_ = prev_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* prev_ = nullptr;
};

template <class T, class Tag = void>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next_ = head_.prev_ = &head_; }
  ~IntrusiveList() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = head_.prev_ = nullptr;
  }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next_ == &head_; }
  // REQUIRES: not empty.
  T& front() { return element(*head_.next_); }
  T& back() { return element(*head_.prev_); }
  // To walk the list: null when there is none, or none further.
  T* first() { return empty() ? nullptr : &front(); }
  T* after(T& item) {
    Node* next = static_cast<Node&>(item).next_;
    return next == &head_ ? nullptr : &element(*next);
  }
  // REQUIRES: `item` is in no list of this tag.
  void push_back(T& item) { link_before(head_, item); }
  void push_front(T& item) { link_before(*head_.next_, item); }
  // The front, unlinked; null when empty.
  T* pop_front() {
    if (empty()) return nullptr;
    T& item = front();
    static_cast<Node&>(item).unlink();
    return &item;
  }
  T* pop_back() {
    if (empty()) return nullptr;
    T& item = back();
    static_cast<Node&>(item).unlink();
    return &item;
  }
  // Moves all of `other` to the end of this list.
  void take_all(IntrusiveList& other) {
    if (other.empty()) return;
    Node* first = other.head_.next_;
    Node* last = other.head_.prev_;
    other.head_.next_ = other.head_.prev_ = &other.head_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
  }

 private:
  using Node = ListNode<Tag>;
  static T& element(Node& node) { return static_cast<T&>(node); }
  static void link_before(Node& place, T& item) {
    Node& node = item;
    LEAT_DCHECK(!node.is_linked());
    node.next_ = &place;
    node.prev_ = place.prev_;
    place.prev_->next_ = &node;
    place.prev_ = &node;
  }
  Node head_;
};

}  // namespace leat
