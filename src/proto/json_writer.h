// SPDX-License-Identifier: Apache-2.0
// JsonWriter: appends text to a caller's span, never beyond it. One overflow makes it refuse all
// that follows, so a caller checks once, at the end. Does no bookkeeping of commas: JSON is written
// here as literals around few values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace leat::proto {

class JsonWriter {
 public:
  explicit JsonWriter(std::span<char> out)
      : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void raw(std::string_view text) {
    if (text.size() > static_cast<std::size_t>(end_ - at_)) [[unlikely]] {
      overflow();
      return;
    }
    at_ = std::copy(text.begin(), text.end(), at_);  // of nothing, from nowhere, too
  }
  // The text's bytes, escaped, without quotes. Not valid UTF-8 becomes U+FFFD, so that what a peer
  // said can stand in our JSON.
  void escaped(std::string_view text);
  // The same in quotes.
  void string(std::string_view text) {
    raw("\"");
    escaped(text);
    raw("\"");
  }
  void integer(std::int64_t value);
  // Dollars from nano-dollars, exactly: 1'500 is 0.0000015.
  void dollars(std::int64_t nano_dollars);

  // Puts a space for each line end written since size() was `from`. Between JSON's tokens they say
  // the same; within a line of an event stream they would end it.
  void join_lines(std::size_t from);

  bool overflowed() const { return overflowed_; }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }
  std::string_view text() const { return {begin_, size()}; }
  // Back to an earlier size(), for a caller who gives up on what it began.
  void rewind(std::size_t size) {
    at_ = begin_ + size;
    overflowed_ = false;
    end_ = full_end_ != nullptr ? full_end_ : end_;
  }

 private:
  void overflow() {
    overflowed_ = true;
    if (full_end_ == nullptr) full_end_ = end_;
    end_ = at_;
  }

  char* begin_;
  char* at_;
  char* end_;
  char* full_end_ = nullptr;  // where the span ends, once `end_` was drawn in by an overflow
  bool overflowed_ = false;
};

// The members of one object with the commas right: its opening brace is written at once.
class JsonMembersWriter {
 public:
  explicit JsonMembersWriter(JsonWriter& out) : out_(out) { out_.raw("{"); }
  // The key, escaped as it will stand; its value follows through the result.
  JsonWriter& key(std::string_view escaped_name) {
    out_.raw(first_ ? "\"" : ",\"");
    first_ = false;
    out_.raw(escaped_name);
    out_.raw("\":");
    return out_;
  }
  void close() { out_.raw("}"); }

 private:
  JsonWriter& out_;
  bool first_ = true;
};

}  // namespace leat::proto
