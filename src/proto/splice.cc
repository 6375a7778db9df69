// SPDX-License-Identifier: Apache-2.0
#include "proto/splice.h"

#include <algorithm>
#include <cstring>

namespace leat::proto {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// The comma before the member whose key begins at `at`. REQUIRES: the member is not the first.
std::uint32_t comma_before(std::string_view body, std::uint32_t at) {
  while (at > 0 && body[at - 1] != ',') --at;
  return at - 1;
}

// The key of the member after the one that ends at `at`. REQUIRES: there is one.
std::uint32_t next_key(std::string_view body, std::uint32_t at) {
  while (at < body.size() && (is_space(body[at]) || body[at] == ',')) ++at;
  return at;
}

}  // namespace

bool SpliceList::add(std::string_view piece) {
  if (piece.empty()) return ok_;
  ok_ = ok_ && !pieces_.is_full();
  if (!ok_) return false;
  pieces_.add(piece);
  size_ += piece.size();
  return true;
}

bool SpliceList::replace(std::uint32_t begin, std::uint32_t end, std::string_view text) {
  ok_ = ok_ && begin >= at_ && end >= begin && end <= body_.size() &&
        text.size() <= kTextMax - text_size_;
  if (!ok_) return false;
  char* const copy = text_.data() + text_size_;
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  text_size_ += static_cast<std::uint32_t>(text.size());
  add(body_.substr(at_, begin - at_));
  at_ = end;
  return add({copy, text.size()});
}

bool SpliceList::place(std::uint32_t begin, std::uint32_t end, std::string_view text) {
  ok_ = ok_ && begin >= at_ && end >= begin && end <= body_.size();
  if (!ok_) return false;
  add(body_.substr(at_, begin - at_));
  at_ = end;
  return add(text);
}

bool SpliceList::finish() {
  add(body_.substr(at_));
  at_ = static_cast<std::uint32_t>(body_.size());
  return ok_;
}

void MemberEdits::add(const Edit& edit) {
  ok_ = ok_ && !edits_.is_full();
  if (ok_) edits_.add(edit);
}

void MemberEdits::replace_value(const JsonField& field, std::string_view text) {
  replace_range(field.value_begin, field.value_end, text);
}

void MemberEdits::replace_range(std::uint32_t begin, std::uint32_t end, std::string_view text) {
  add({begin, end, 0, false, false, text});
}

void MemberEdits::remove(const JsonField& field) {
  add({field.key_begin, field.value_end, field.ordinal, true, false, {}});
}

void MemberEdits::place(std::uint32_t begin, std::uint32_t end, std::string_view text) {
  add({begin, end, 0, false, true, text});
}

void MemberEdits::insert(std::string_view member) {
  ok_ = ok_ && !inserts_.is_full();
  if (ok_) inserts_.add(member);
}

bool MemberEdits::lay_out(const JsonScanner& scanner, std::string_view body, SpliceList& list) {
  if (!ok_) return false;
  std::ranges::sort(edits_.values(), {}, &Edit::begin);

  std::uint32_t removed = 0;
  bool leading = true;  // all members so far were removed: a comma goes with what follows it
  for (Edit edit : edits_.values()) {
    if (edit.remove) {
      leading = leading && edit.ordinal == removed;
      ++removed;
      if (!leading) {
        edit.begin = comma_before(body, edit.begin);
      } else if (removed < scanner.member_count()) {
        edit.end = next_key(body, edit.end);
      }
    }
    if (edit.stays) {
      list.place(edit.begin, edit.end, edit.text);
    } else {
      list.replace(edit.begin, edit.end, edit.text);
    }
  }

  bool kept = removed < scanner.member_count();
  for (const std::string_view member : inserts_.values()) {
    if (kept) list.replace(scanner.object_end(), scanner.object_end(), ",");
    list.replace(scanner.object_end(), scanner.object_end(), member);
    kept = true;
  }
  return list.finish();
}

}  // namespace leat::proto
