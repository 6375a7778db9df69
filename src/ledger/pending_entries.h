// SPDX-License-Identifier: Apache-2.0
// PendingEntries: entries that were appended and are not durable yet, in order, in memory of a
// fixed size that is touched only as far as it is used. They are kept as they were given and not
// as frames, since after a failed write they go to another segment, where their frames differ.
// Private to ledger.
//
// A ring whose entries do not wrap: what no longer fits the end begins at the front again.
//
//   |  second_ ->|   free   | first_begin_ -> first_end_ |  free  |
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.h"
#include "ledger/segment_format.h"

namespace leat::ledger {

class PendingEntries {
 public:
  struct Item {
    FrameKind kind = FrameKind::kUsage;
    std::span<const char> payload;
  };
  // A place in the order. Good until the next drop().
  struct Cursor {
    std::size_t index = 0;  // how many are before it
    std::size_t at = 0;
  };

  explicit PendingEntries(std::size_t capacity)
      : memory_(std::make_unique_for_overwrite<char[]>(capacity)), capacity_(capacity) {}

  std::size_t count() const { return count_; }
  std::size_t bytes() const { return first_end_ - first_begin_ + second_end_; }

  // Where a payload of at most `size` bytes may be written; push() then says what it is. Empty: no
  // room.
  std::span<char> reserve(std::size_t size) {
    size += sizeof(Head);
    if (second_end_ == 0 && capacity_ - first_end_ >= size) return behind(first_end_, size);
    // At the front, and never up to the first: then the two would not be told apart.
    return first_begin_ - second_end_ > size ? behind(second_end_, size) : std::span<char>();
  }
  // REQUIRES: `payload` is of what reserve() gave last, or the front of it.
  void push(FrameKind kind, std::span<const char> payload) {
    const Head head{.payload_bytes = static_cast<std::uint32_t>(payload.size()), .kind = kind};
    const auto at = static_cast<std::size_t>(payload.data() - memory_.get()) - sizeof head;
    const std::size_t end = at + sizeof head + payload.size();
    if (second_end_ == 0 && at == first_end_) {
      first_end_ = end;
    } else {
      LEAT_CHECK(at == second_end_);
      second_end_ = end;
    }
    std::memcpy(memory_.get() + at, &head, sizeof head);
    ++count_;
  }

  Cursor begin() const { return {.index = 0, .at = first_begin_}; }
  bool at_end(const Cursor& cursor) const { return cursor.index == count_; }
  // REQUIRES: not at the end.
  Item item(const Cursor& cursor) const {
    const Head head = head_at(cursor.at);
    return {head.kind, {memory_.get() + cursor.at + sizeof head, head.payload_bytes}};
  }
  void advance(Cursor& cursor) const {
    cursor.at += sizeof(Head) + head_at(cursor.at).payload_bytes;
    ++cursor.index;
    if (cursor.at == first_end_) cursor.at = 0;
  }

  // Forgets all before the cursor.
  void drop(const Cursor& cursor) {
    count_ -= cursor.index;
    if (cursor.index == 0) return;
    if (count_ == 0) {
      first_begin_ = first_end_ = second_end_ = 0;
    } else if (cursor.at < first_begin_) {  // all of the first and some of the second
      first_begin_ = cursor.at;
      first_end_ = second_end_;
      second_end_ = 0;
    } else {
      first_begin_ = cursor.at;
    }
  }

 private:
  struct Head {
    std::uint32_t payload_bytes;
    FrameKind kind;
  };
  std::span<char> behind(std::size_t end, std::size_t size) {
    return {memory_.get() + end + sizeof(Head), size - sizeof(Head)};
  }
  Head head_at(std::size_t at) const {
    Head head;
    std::memcpy(&head, memory_.get() + at, sizeof head);
    return head;
  }

  std::unique_ptr<char[]> memory_;
  std::size_t capacity_;
  std::size_t count_ = 0;
  std::size_t first_begin_ = 0;
  std::size_t first_end_ = 0;
  std::size_t second_end_ = 0;  // the second begins at 0, and is empty unless the first is full
};

}  // namespace leat::ledger
