// SPDX-License-Identifier: Apache-2.0
// Goal: a segment that is read while it is being written gives its entries once and whole, however
// its bytes come, and a cursor that goes on elsewhere notices that what it had read is not there.
// Method: an image of a segment, given in pieces of every size, cut everywhere, with every bit of
// it flipped; the reader of whole segments tells what there is to find.
#include "ledger/segment_cursor.h"

#include <gtest/gtest.h>

#include "segment_image.h"

namespace leat::ledger {
namespace {

using Step = SegmentCursor::Step;

constexpr SegmentIdentity kIdentity{.generation = 7, .shard = 1, .number = 0};

SegmentHeader header() {
  return {.identity = kIdentity, .bytes = kSegmentBytesMin, .created = {1}};
}

// Reads on with pieces of that size, or as large as they must be.
Step drain(SegmentCursor& cursor, std::string_view file, std::size_t piece,
           std::vector<std::string>& payloads) {
  for (std::size_t wanted = piece;;) {
    Entry entry;
    const std::string_view rest = file.substr(std::min<std::size_t>(cursor.at(), file.size()));
    const std::string_view bytes = rest.substr(0, wanted);
    const Step step = cursor.next({bytes.data(), bytes.size()}, entry);
    if (step == Step::kEntry) payloads.emplace_back(entry.payload.begin(), entry.payload.end());
    if (step == Step::kMore) {
      EXPECT_GT(cursor.wanted(), bytes.size());
      if (rest.size() < cursor.wanted()) return step;
      wanted = cursor.wanted();
      continue;
    }
    wanted = piece;
    if (step != Step::kEntry && step != Step::kBegun) return step;
  }
}

class SegmentCursorTest : public testing::Test {
 protected:
  SegmentCursorTest() {
    for (int i = 0; i < 5; ++i) {
      payloads.push_back(payload_of(static_cast<std::size_t>(40 + 200 * i), 'a'));
      image.entry(payloads.back(), i == 3 ? FrameKind::kGrant : FrameKind::kUsage).commit();
    }
  }
  SegmentImage image{kIdentity, 4, 10, 77};
  std::vector<std::string> payloads;
};

TEST_F(SegmentCursorTest, PiecesOfAnySizeGiveTheSame) {
  for (std::size_t piece = 0; piece < 2'000; piece += 33) {
    SegmentCursor cursor(header());
    std::vector<std::string> found;
    EXPECT_EQ(drain(cursor, image.bytes, piece, found), Step::kPending);
    EXPECT_EQ(found, payloads);
    EXPECT_EQ(cursor.first_sequence(), 10u);
    EXPECT_EQ(cursor.place().next_sequence, 15u);
    EXPECT_EQ(cursor.place().ordinal, 4u);
    EXPECT_EQ(cursor.place().chain, image.chain);
  }
}

TEST_F(SegmentCursorTest, EndsWhereTheSegmentDoes) {
  for (const auto& [kind, step] :
       {std::pair(FrameKind::kSeal, Step::kSealed), std::pair(FrameKind::kEnd, Step::kEnded)}) {
    SegmentImage ended = image;
    ended.seal(kind);
    SegmentCursor cursor(header());
    std::vector<std::string> found;
    EXPECT_EQ(drain(cursor, ended.bytes, 4'096, found), step);
    EXPECT_EQ(found.size(), 5u);
    EXPECT_EQ(drain(cursor, ended.bytes, 4'096, found), step) << "and stays so";
    SegmentCursor other(header());
    const CursorPlace place = cursor.place();
    ASSERT_TRUE(other.resume(place, std::span(ended.bytes).subspan(place.last)));
    EXPECT_EQ(other.place(), place);
    EXPECT_EQ(drain(other, ended.bytes, 4'096, found), step);
    EXPECT_EQ(found.size(), 5u);
  }
}

TEST_F(SegmentCursorTest, WhatIsNotWholeIsNotThereYet) {
  std::vector<std::string> all;
  for (std::size_t cut = kSegmentHeaderBytes; cut < image.end; cut += 5) {
    std::string torn = image.bytes;
    std::fill(torn.begin() + static_cast<std::ptrdiff_t>(cut), torn.end(), '\0');
    SegmentCursor cursor(header());
    std::vector<std::string> found;
    drain(cursor, torn, 4'096, found);
    const std::size_t before = found.size();
    EXPECT_TRUE(std::equal(found.begin(), found.end(), payloads.begin()));
    drain(cursor, image.bytes, 4'096, found);
    ASSERT_EQ(found, payloads) << cut;
    EXPECT_LE(before, 5u);
  }
}

TEST_F(SegmentCursorTest, AFrameWithoutItsMarkIsNotWhole) {
  const std::size_t size = payloads.back().size();
  std::string torn = image.bytes;
  torn[image.end - frame_bytes(size) + kFrameHeaderBytes + size] = '\0';
  SegmentCursor cursor(header());
  std::vector<std::string> found;
  EXPECT_EQ(drain(cursor, torn, 4'096, found), Step::kPending);
  EXPECT_EQ(found.size(), 4u);
}

TEST_F(SegmentCursorTest, NoFlippedBitGivesSomethingElse) {
  for (std::size_t bit = kSegmentHeaderBytes * 8; bit < image.end * 8; bit += 3) {
    std::string spoilt = image.bytes;
    spoilt[bit / 8] = static_cast<char>(spoilt[bit / 8] ^ 1 << bit % 8);
    SegmentCursor cursor(header());
    std::vector<std::string> found;
    drain(cursor, spoilt, 4'096, found);
    ASSERT_LE(found.size(), 5u);
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], payloads[i]) << bit;
  }
}

TEST_F(SegmentCursorTest, GoesOnAtEveryPlaceThatOneWasAt) {
  SegmentCursor cursor(header());
  Entry entry;
  for (std::size_t i = 0;; ++i) {
    const Step step = cursor.next(std::span(image.bytes).subspan(cursor.at()), entry);
    if (step == Step::kPending) break;
    const CursorPlace place = cursor.place();
    SegmentCursor other(header());
    ASSERT_TRUE(other.resume(place, std::span(image.bytes).subspan(place.last)));
    std::vector<std::string> found;
    drain(other, image.bytes, 4'096, found);
    EXPECT_EQ(found.size(), 5u - i);
  }
  const CursorPlace place = cursor.place();
  const auto can_resume = [&](const CursorPlace& at, std::string_view file) {
    SegmentCursor other(header());
    const std::string_view rest = file.substr(std::min<std::size_t>(at.last, file.size()));
    return other.resume(at, {rest.data(), rest.size()});
  };
  std::string lost = image.bytes;
  std::fill(lost.begin() + place.last, lost.end(), '\0');
  EXPECT_FALSE(can_resume(place, lost));
  EXPECT_FALSE(can_resume(place, lost.substr(0, place.last)));
  for (const auto change :
       {+[](CursorPlace& p) { ++p.chain; }, +[](CursorPlace& p) { ++p.next_sequence; },
        +[](CursorPlace& p) { p.at += 32; }, +[](CursorPlace& p) { p.last = 0; },
        +[](CursorPlace& p) { p.at = p.last; }, +[](CursorPlace& p) { p.at = UINT32_MAX; }}) {
    CursorPlace wrong = place;
    change(wrong);
    EXPECT_FALSE(can_resume(wrong, image.bytes));
  }
}

TEST_F(SegmentCursorTest, AnotherSegmentsFramesAreNoneOfIts) {
  SegmentCursor other({.identity = {.generation = 7, .shard = 1, .number = 1},
                       .bytes = kSegmentBytesMin,
                       .created = {1}});
  std::vector<std::string> found;
  EXPECT_EQ(drain(other, image.bytes, 4'096, found), Step::kPending);
  EXPECT_FALSE(other.has_begun());
}

}  // namespace
}  // namespace leat::ledger
