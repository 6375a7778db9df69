// SPDX-License-Identifier: Apache-2.0
#include "dialect/content_excerpt.h"

#include <algorithm>

#include "proto/base64_run.h"

namespace leat::dialect {
namespace {

// Nested containers; whoever asks has been held to fewer.
constexpr std::size_t kDepthMax = 512;
constexpr std::size_t kKeyBytesMax = 1'024;
// A word at a cut is looked for so far back.
constexpr std::size_t kWordBytesMax = 256;
// Shorter runs of base64 stay: nobody could tell them from words.
constexpr std::size_t kDataBytesMin = 1'024;
constexpr std::size_t kMarkedDataBytesMin = 64;  // behind ";base64,"
constexpr std::string_view kDataMark = ";base64,";

// Escapes that stand within base64: a slash that need not be escaped, ends of lines.
constexpr bool is_data_escape(char c) {
  return c == '/' || c == 'n' || c == 'r';
}

// Bytes of base64 at the front of an escaped text.
std::size_t data_run(std::string_view text) {
  std::size_t at = 0;
  while (true) {
    at += proto::base64_run(text.substr(at));
    if (at + 1 >= text.size() || text[at] != '\\' || !is_data_escape(text[at + 1])) return at;
    at += 2;
  }
}

// Whether an escape begins at `at`: an even number of backslashes stands before it.
bool begins_escape(std::string_view text, std::size_t at) {
  std::size_t before = 0;
  while (before < at && text[at - before - 1] == '\\') ++before;
  return text[at] == '\\' && before % 2 == 0;
}

// "\ud83d", the first of two escapes that are one character.
constexpr std::size_t kUnitBytes = 6;
bool ends_in_half(std::string_view text) {
  if (text.size() < kUnitBytes) return false;
  const std::size_t at = text.size() - kUnitBytes;
  constexpr std::string_view kSecond = "89abAB";
  return text[at] == '\\' && text[at + 1] == 'u' && (text[at + 2] | 0x20) == 'd' &&
         kSecond.find(text[at + 3]) != std::string_view::npos && begins_escape(text, at);
}

class Walk {
 public:
  Walk(std::string_view json, std::size_t bytes_max, std::string& out)
      : json_(json), out_(out), end_(out.size() + bytes_max), safe_(out.size()) {}

  ContentExcerpt run() {
    while (at_ < json_.size() && !made_.is_cut && !is_over_) step();
    if (!open_.empty() || at_ < json_.size()) made_.is_cut = made_.is_cut || !is_over_;
    if (made_.is_cut) close();
    return made_;
  }

 private:
  void step() {
    const char c = json_[at_];
    switch (c) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        ++at_;
        return;
      case '{':
      case '[':
        return open(c);
      case '}':
      case ']':
        return shut();
      case ',':
      case ':':
        is_key_ = c == ',' && !open_.empty() && open_.back() == '}';
        if (has_room(1)) put(json_.substr(at_++, 1));
        return;
      case '"':
        return text();
      default:
        return word();
    }
  }

  // Room for so much, and for what then has to be closed.
  bool has_room(std::size_t size) {
    made_.is_cut = out_.size() + size + open_.size() > end_;
    return !made_.is_cut;
  }
  void put(std::string_view bytes) { out_.append(bytes); }
  void keep() {
    safe_ = out_.size();
    is_over_ = open_.empty();
  }
  void close() {
    out_.resize(safe_);
    out_.append(open_.rbegin(), open_.rend());
  }

  void open(char bracket) {
    if (open_.size() == kDepthMax || !has_room(2)) {
      made_.is_cut = true;
      return;
    }
    put({&bracket, 1});
    open_ += bracket == '{' ? '}' : ']';
    is_key_ = bracket == '{';
    ++at_;
    keep();
  }
  void shut() {
    if (open_.empty() || json_[at_] != open_.back()) {
      made_.is_cut = true;
      return;
    }
    put({&open_.back(), 1});
    open_.pop_back();
    ++at_;
    keep();
  }

  // A number, true, false or null.
  void word() {
    const std::size_t end = std::min(json_.find_first_of(",]}: \t\r\n\"", at_), json_.size());
    const std::string_view whole = json_.substr(at_, end - at_);
    // At the end of what there is nobody knows whether it is whole.
    if (end == json_.size() && !open_.empty()) made_.is_cut = true;
    if (made_.is_cut || whole.empty() || !has_room(whole.size())) {
      made_.is_cut = true;
      return;
    }
    put(whole);
    at_ = end;
    keep();
  }

  void text() {
    const std::size_t begin = at_ + 1;
    std::size_t end = begin;
    while (true) {
      end = json_.find('"', end);
      if (end == std::string_view::npos) break;
      std::size_t slashes = 0;
      while (json_[end - slashes - 1] == '\\') ++slashes;
      if (slashes % 2 == 0) break;
      ++end;
    }
    const bool is_broken_off = end == std::string_view::npos;
    const std::string_view inner = json_.substr(begin, is_broken_off ? end : end - begin);
    if (is_key_) {
      if (is_broken_off || inner.size() > kKeyBytesMax || !has_room(inner.size() + 2)) {
        made_.is_cut = true;
        return;
      }
      put(json_.substr(at_, inner.size() + 2));
    } else {
      value(inner, is_broken_off);
    }
    at_ = is_broken_off ? json_.size() : end + 1;
  }

  void value(std::string_view inner, bool is_broken_off) {
    if (!has_room(2)) return;
    put("\"");
    bool is_cut = !pieces(inner);
    if (is_broken_off && !is_cut) {
      const std::size_t said = out_.size() - text_begin_;
      out_.resize(text_begin_ + whole_words(std::string_view(out_).substr(text_begin_), said));
      is_cut = true;
    }
    put("\"");
    keep();
    made_.is_cut = is_cut;
  }

  // The text without its data. False: not all of the rest had room.
  bool pieces(std::string_view rest) {
    text_begin_ = out_.size();
    if (rest.size() >= kDataBytesMin && data_run(rest) == rest.size())
      return leave_out(rest.size());
    while (true) {
      const std::size_t mark = rest.find(kDataMark);
      const std::size_t before =
          mark == std::string_view::npos ? rest.size() : mark + kDataMark.size();
      if (!words(rest.substr(0, before))) return false;
      rest.remove_prefix(before);
      if (rest.empty()) return true;
      const std::size_t run = data_run(rest);
      if (run < kMarkedDataBytesMin) continue;
      if (!leave_out(run)) return false;
      text_begin_ = out_.size();
      rest.remove_prefix(run);
    }
  }
  bool leave_out(std::size_t size) {
    made_.data_left_out += size;
    const std::string note = "[" + std::to_string(size) + " bytes left out]";
    if (room_left() < note.size()) return false;
    put(note);
    return true;
  }
  bool words(std::string_view text) {
    const std::size_t room = room_left();
    if (text.size() <= room) {
      put(text);
      return true;
    }
    put(text.substr(0, whole_words(text, room)));
    return false;
  }
  // Within a text, whose end quote is to come.
  std::size_t room_left() const {
    const std::size_t taken = out_.size() + 1 + open_.size();
    return taken < end_ ? end_ - taken : 0;
  }

  const std::string_view json_;
  std::string& out_;
  const std::size_t end_;
  std::size_t at_ = 0;          // of json_
  std::size_t safe_;            // of out_: with what is open closed, this is JSON
  std::size_t text_begin_ = 0;  // of out_: of the words that are being put
  std::string open_;            // the brackets that close what is open, outermost first
  bool is_key_ = false;         // the next text is one
  bool is_over_ = false;        // one whole value was read
  ContentExcerpt made_;
};

}  // namespace

ContentExcerpt append_excerpt(std::string_view json, std::size_t bytes_max, std::string& out) {
  return Walk(json, bytes_max, out).run();
}

std::size_t whole_words(std::string_view text, std::size_t size) {
  constexpr std::string_view kOfNumbers = "0123456789 .-()+/";
  const std::size_t lowest = size > kWordBytesMax ? size - kWordBytesMax : 0;
  std::size_t end = size;
  while (end > lowest && text[end - 1] != ' ') --end;
  if (end > lowest) {
    const std::size_t least = end > kWordBytesMax ? end - kWordBytesMax : 0;
    while (end > least && kOfNumbers.find(text[end - 1]) != std::string_view::npos) --end;
  }
  // Not within a character of several bytes, nor within an escape.
  while (end > 0 && end < text.size() && (text[end] & 0xc0) == 0x80) --end;
  for (std::size_t back = 1; back <= 5 && back <= end; ++back) {
    const std::size_t at = end - back;
    if (text[at] != '\\') continue;
    if (!begins_escape(text, at)) break;
    const bool is_unit = at + 1 < text.size() && text[at + 1] == 'u';
    if (back == 1 || is_unit) end = at;
    break;
  }
  return ends_in_half(text.substr(0, end)) ? end - kUnitBytes : end;
}

}  // namespace leat::dialect
