// SPDX-License-Identifier: Apache-2.0
// SpliceList: a JSON body with a few members changed, as a list of pieces: ranges of the body as it
// lies, and short texts of ours. The body is never copied; pieces are sent or sealed one after the
// other. Built in order of the source; bounded, inline, no allocation. The body must outlive the
// list and stay where it is; texts of ours live inside the list, so the list must not move while
// pieces are used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/inline_list.h"
#include "proto/json_scan.h"

namespace leat::proto {

class SpliceList {
 public:
  static constexpr std::size_t kPiecesMax =
      128;  // two for each edit; edits are at most one per TopKey
  static constexpr std::size_t kTextMax = 1'024;  // a model's name and some fixed members

  explicit SpliceList(std::string_view body) : body_(body) {}
  SpliceList(const SpliceList&) = delete;
  SpliceList& operator=(const SpliceList&) = delete;

  // All edits come in rising order of place, and do not overlap. Each returns false once something
  // does not fit; then ok() is false and the list is of no use.

  // Puts `text` (copied into the list) in place of body[begin, end).
  bool replace(std::uint32_t begin, std::uint32_t end, std::string_view text);
  // Puts `text` in place of body[begin, end) from where it lies: it outlives the list, and stays.
  bool place(std::uint32_t begin, std::uint32_t end, std::string_view text);
  // After the last edit: adds the rest of the body. No edit afterwards.
  bool finish();

  bool ok() const { return ok_; }
  std::uint64_t size() const { return size_; }
  std::span<const std::string_view> pieces() const { return pieces_.values(); }

 private:
  bool add(std::string_view piece);

  std::string_view body_;
  std::uint64_t size_ = 0;
  std::uint32_t at_ = 0;  // the body up to here is in the list or left out
  std::uint32_t text_size_ = 0;
  bool ok_ = true;
  InlineList<std::string_view, kPiecesMax> pieces_;
  std::array<char, kTextMax> text_;
};

// Edits of a scanned object's members: collected in any order, then laid out as a SpliceList with
// the commas right whichever members go. Texts given here are copied when lay_out() runs.
class MemberEdits {
 public:
  void replace_value(const JsonField& field, std::string_view text);
  void replace_range(std::uint32_t begin, std::uint32_t end, std::string_view text);
  void remove(const JsonField& field);
  // In place of the bytes [begin, end), which may be none; not copied, so that it may have any
  // size: it outlives the list.
  void place(std::uint32_t begin, std::uint32_t end, std::string_view text);
  // A whole member, `"key":value`, before the closing brace, after those inserted earlier.
  void insert(std::string_view member);

  // Once. REQUIRES: the scanner is done with this body. False if a bound was exceeded.
  bool lay_out(const JsonScanner& scanner, std::string_view body, SpliceList& list);

 private:
  static constexpr std::size_t kEditsMax = kTopKeyCount;
  static constexpr std::size_t kInsertsMax = 6;
  struct Edit {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t ordinal;  // of a removed member
    bool remove;
    bool stays;  // the text is not copied
    std::string_view text;
  };
  void add(const Edit& edit);

  InlineList<Edit, kEditsMax> edits_;
  InlineList<std::string_view, kInsertsMax> inserts_;
  bool ok_ = true;
};

}  // namespace leat::proto
