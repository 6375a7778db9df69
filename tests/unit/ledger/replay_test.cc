// SPDX-License-Identifier: Apache-2.0
// Goal: over all segments of a process each entry comes once, in order, whatever writes failed in
// between; and no segment and no entry can be missing, doubled or exchanged without a fault.
// Method: histories put together as a ledger writes them, then with parts taken away.
#include "ledger/replay.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "segment_image.h"

namespace leat::ledger {
namespace {

struct Seen final : EntryVisitor {
  std::string letters;
  std::vector<std::uint64_t> sequences;
  void on_entry(const SegmentHeader&, const Entry& entry) override {
    letters.push_back(entry.payload.back());
    sequences.push_back(entry.sequence);
  }
};

SegmentIdentity made(std::uint64_t number) {
  return {.generation = 7, .shard = 1, .number = number};
}

ReplayReport run(const std::vector<std::string>& files, Seen& seen) {
  std::vector<std::span<const char>> spans(files.begin(), files.end());
  return replay(spans, seen);
}

std::string unused(std::uint64_t number) {
  std::string bytes(kSegmentBytesMin, '\0');
  write_segment_header({.identity = made(number), .bytes = bytes.size()}, bytes);
  return bytes;
}

std::string text(char letter) {
  return payload_of(40, letter);
}

// Three segments: entries a b | c d | e, and one that waits to be used.
std::vector<std::string> history() {
  SegmentImage first(made(0), 0);
  first.entry(text('a')).entry(text('b')).commit().seal();
  SegmentImage second(made(1), 1, first.sequence, first.chain);
  second.entry(text('c')).commit().entry(text('d')).commit().seal();
  SegmentImage third(made(2), 2, second.sequence, second.chain);
  third.entry(text('e')).commit();
  return {first.bytes, second.bytes, third.bytes, unused(3)};
}

TEST(Replay, EntriesOfAllSegmentsInOrder) {
  Seen seen;
  const auto files = history();
  const ReplayReport report = run({files[3], files[1], files[2], files[0]}, seen);
  EXPECT_EQ(seen.letters, "abcde");
  EXPECT_EQ(seen.sequences, (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(report.is_clean);
  EXPECT_TRUE(report.is_unfinished);
  EXPECT_EQ(report.entries, 5u);
  EXPECT_EQ(report.next_sequence, 5u);
  EXPECT_EQ(report.segments[0].index, 3u);
}

TEST(Replay, NothingAtAllIsNoFault) {
  Seen seen;
  EXPECT_TRUE(run({}, seen).is_clean);
  EXPECT_TRUE(run({unused(0)}, seen).is_clean);
  EXPECT_EQ(seen.letters, "");
}

// The write of "c d" failed after c was reported durable: d stands again in the next segment, which
// was made before the one that failed.
TEST(Replay, WhatAFailedWriteLeftBehindIsNotCountedTwice) {
  SegmentImage failed(made(5), 0);
  failed.entry(text('a')).commit().entry(text('c')).commit();
  const std::uint64_t sequence = failed.sequence;
  const std::uint64_t chain = failed.chain;
  failed.entry(text('d'));
  SegmentImage next(made(4), 1, sequence, chain);
  next.entry(text('d')).entry(text('e')).commit().seal(FrameKind::kEnd);
  Seen seen;
  ReplayReport report = run({failed.bytes, next.bytes}, seen);
  EXPECT_EQ(seen.letters, "acde");
  EXPECT_TRUE(report.is_intact);
  EXPECT_FALSE(report.is_clean) << "a segment that was not sealed is worth a word";
  EXPECT_FALSE(report.is_unfinished);
  // However badly it was left, behind what was durable.
  failed.bytes[failed.durable + 40] ^= 1;
  seen = {};
  report = run({failed.bytes, next.bytes}, seen);
  EXPECT_EQ(seen.letters, "acde");
  EXPECT_TRUE(report.is_intact);
  // Damage of what was durable is damage.
  failed.bytes[failed.durable - 40] ^= 1;
  seen = {};
  report = run({failed.bytes, next.bytes}, seen);
  EXPECT_EQ(seen.letters, "ade");
  EXPECT_FALSE(report.is_intact);
}

// The first write to a segment failed: nothing of it counts, whether its beginning is there or not.
TEST(Replay, ASegmentThatFailedAtOnceIsPassedOver) {
  SegmentImage first(made(0), 0);
  first.entry(text('a')).commit();
  SegmentImage failed(made(1), 1, first.sequence, first.chain);
  failed.entry(text('b'));
  SegmentImage last(made(2), 2, first.sequence, first.chain);
  last.entry(text('b')).commit();
  Seen seen;
  EXPECT_TRUE(run({first.bytes, failed.bytes, last.bytes}, seen).is_intact);
  EXPECT_EQ(seen.letters, "ab");
  seen = {};
  EXPECT_TRUE(run({first.bytes, unused(1), last.bytes}, seen).is_intact);
  EXPECT_EQ(seen.letters, "ab");
}

TEST(Replay, AMissingSegmentIsAFault) {
  const auto files = history();
  Seen seen;
  const ReplayReport report = run({files[0], files[2], files[3]}, seen);
  EXPECT_FALSE(report.is_intact);
  EXPECT_STREQ(report.segments[1].fault, "entries before this segment are missing");
  EXPECT_EQ(seen.letters, "abe") << "what is there is told all the same";
  seen = {};
  EXPECT_FALSE(run({files[0], files[1]}, seen).is_intact) << "a sealed one is not the last";
  seen = {};
  EXPECT_TRUE(run({files[1], files[2], files[3]}, seen).is_intact) << "older ones were archived";
  EXPECT_EQ(seen.letters, "cde");
  // Sealed, and cut off before the next was written to.
  seen = {};
  EXPECT_TRUE(run({files[0], files[1], unused(2)}, seen).is_clean);
}

TEST(Replay, ASegmentTwiceIsAFault) {
  const auto files = history();
  Seen seen;
  EXPECT_FALSE(run({files[0], files[1], files[1], files[2]}, seen).is_intact);
}

TEST(Replay, ASegmentOfAnotherHistoryIsAFault) {
  auto files = history();
  SegmentImage other(made(1), 1, 2, 12'345);
  other.entry(text('x')).entry(text('y')).commit().seal();
  files[1] = other.bytes;
  Seen seen;
  EXPECT_FALSE(run(files, seen).is_intact);
}

// The write of the end was reported failed, and had reached the disk all the same.
TEST(Replay, AnEndThatWasWrittenAgainElsewhereIsNoFault) {
  SegmentImage first(made(0), 0);
  first.entry(text('a')).commit().seal(FrameKind::kEnd);
  SegmentImage second(made(1), 1, first.sequence, first.chain);
  second.seal(FrameKind::kEnd);
  Seen seen;
  const ReplayReport report = run({first.bytes, second.bytes}, seen);
  EXPECT_TRUE(report.is_intact);
  EXPECT_FALSE(report.is_clean);
  EXPECT_FALSE(report.is_unfinished);
  EXPECT_EQ(seen.letters, "a");
}

// The figure, over a whole history: whatever bit of whatever file.
TEST(Replay, EveryTurnedBitShows) {
  auto files = history();
  for (std::string& file : files) {
    // That each is found in its segment is tested there; here a sample, denser where something is.
    for (std::size_t bit = 0; bit < file.size() * 8; bit += bit < 8 * 5'000 ? 7 : 997) {
      file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << bit % 8);
      Seen seen;
      ASSERT_FALSE(run(files, seen).is_clean) << "bit " << bit;
      file[bit / 8] = static_cast<char>(file[bit / 8] ^ 1 << bit % 8);
    }
  }
}

}  // namespace
}  // namespace leat::ledger
