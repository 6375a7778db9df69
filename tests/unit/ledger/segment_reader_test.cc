// SPDX-License-Identifier: Apache-2.0
// Goal: what was durable is read again after whatever befell the file, or its damage is told; never
// is damage taken for a torn tail, nor a torn tail for damage.
// Method: segments as a ledger writes them; every bit turned, every sector of the last commit lost
// in every combination, every length of file; the CRC against its published examples.
#include "ledger/segment_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ledger/crc32c.h"
#include "segment_image.h"

namespace leat::ledger {
namespace {

struct Seen {
  std::vector<std::string> payloads;
  std::uint64_t next_sequence = 0;
  std::uint64_t chain = 0;
  SegmentEnd end = SegmentEnd::kReading;
  std::string why;
  bool has_header = false;
};

Seen read(std::span<const char> file) {
  Seen seen;
  auto reader = SegmentReader::open(file);
  if (!reader) return seen;
  seen.has_header = true;
  while (const auto entry = reader->next()) {
    seen.payloads.emplace_back(entry->payload.begin(), entry->payload.end());
  }
  seen.next_sequence = reader->next_sequence();
  seen.chain = reader->chain();
  seen.end = reader->end();
  seen.why = reader->why();
  return seen;
}

SegmentImage three_commits() {
  SegmentImage image;
  image.entry(payload_of(300, 'a')).entry(payload_of(1, 'b')).commit();
  image.entry(payload_of(700, 'c'), FrameKind::kGrant).commit();
  image.entry(payload_of(31, 'd')).entry(payload_of(250, 'e')).commit();
  return image;
}

TEST(Crc32c, PublishedExamples) {
  // RFC 3720 B.4.
  const std::string zeros(32, '\0');
  const std::string ones(32, '\xff');
  std::string rising(32, '\0');
  for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<char>(i);
  EXPECT_EQ(crc32c(0, zeros), 0x8a9136aau);
  EXPECT_EQ(crc32c(0, ones), 0x62a8ab43u);
  EXPECT_EQ(crc32c(0, rising), 0x46dd794eu);
}

TEST(Crc32c, TableAndInstructionAgreeAtEveryLength) {
  const std::string bytes = payload_of(100, 'q');
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::span part(bytes.data(), size);
    EXPECT_EQ(crc32c(5, part), crc32c_by_table(5, part)) << size;
    // In two goes as in one.
    EXPECT_EQ(crc32c(crc32c(5, part.first(size / 2)), part.subspan(size / 2)), crc32c(5, part));
  }
}

TEST(SegmentReader, EntriesComeBackInOrder) {
  const SegmentImage image = three_commits();
  auto reader = SegmentReader::open(image.bytes);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->header().identity, (SegmentIdentity{.generation = 7, .shard = 1}));
  for (std::uint64_t i = 0; i < 5; ++i) {
    const auto entry = reader->next();
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->sequence, i);
    EXPECT_EQ(entry->kind, i == 2 ? FrameKind::kGrant : FrameKind::kUsage);
  }
  EXPECT_FALSE(reader->next());
  EXPECT_EQ(reader->end(), SegmentEnd::kOpen);
  EXPECT_EQ(reader->end_offset(), image.end);
  EXPECT_EQ(reader->chain(), image.chain);
  EXPECT_FALSE(reader->next()) << "the end is the end";
}

TEST(SegmentReader, ASealedOneSaysHowItEnded) {
  EXPECT_EQ(read(three_commits().seal().bytes).end, SegmentEnd::kSealed);
  EXPECT_EQ(read(three_commits().seal(FrameKind::kEnd).bytes).end, SegmentEnd::kEnded);
}

TEST(SegmentReader, AFreshOneIsOpenAndHasNotBegun) {
  std::string bytes(kSegmentBytesMin, '\0');
  write_segment_header({.identity = {.generation = 1}, .bytes = bytes.size()}, bytes);
  auto reader = SegmentReader::open(bytes);
  ASSERT_TRUE(reader);
  EXPECT_FALSE(reader->next());
  EXPECT_FALSE(reader->has_begun());
  EXPECT_EQ(reader->end(), SegmentEnd::kOpen);
}

TEST(SegmentReader, WhatALaterVersionWroteIsToldApart) {
  EXPECT_EQ(SegmentReader::open(std::string(kSegmentBytesMin, '\0')).error().code, Code::kInvalid);
  EXPECT_EQ(SegmentReader::open({}).error().code, Code::kInvalid);
}

// The figure: every single bit of a segment that ended, anywhere in the file.
TEST(SegmentReader, EveryTurnedBitOfASealedSegmentIsFound) {
  const SegmentImage image = three_commits().seal();
  std::string bytes = image.bytes;
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    const Seen seen = read(bytes);
    ASSERT_TRUE(!seen.has_header || seen.end == SegmentEnd::kDamaged) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  }
}

// ... and of one that was cut off: there, too, nothing that was durable may pass for a torn tail,
// and what turned up behind it is at least noticed.
TEST(SegmentReader, EveryTurnedBitOfAnOpenSegmentIsFound) {
  const SegmentImage image = three_commits();
  std::string bytes = image.bytes;
  // Of the zeros that follow, a sample: those of the sealed segment were tried one by one.
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit += bit / 8 < image.end ? 1 : 13) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    const Seen seen = read(bytes);
    if (bit / 8 < image.end) {
      ASSERT_TRUE(!seen.has_header || seen.end == SegmentEnd::kDamaged) << "bit " << bit;
    } else {
      ASSERT_TRUE(seen.end == SegmentEnd::kTorn || seen.end == SegmentEnd::kDamaged) << bit;
      ASSERT_EQ(seen.payloads.size(), 5u);
    }
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  }
}

// A commit of several sectors, any of which may be missing after a crash.
TEST(SegmentReader, ATornCommitLosesNothingOfThoseBefore) {
  SegmentImage image = three_commits();
  const std::string before = image.bytes;
  image.entry(payload_of(900, 'x')).entry(payload_of(20, 'y')).entry(payload_of(600, 'z'));
  const std::size_t first = image.durable / kSectorBytes;
  const std::size_t sectors = (image.end - 1) / kSectorBytes - first + 1;
  ASSERT_GE(sectors, 4u);
  ASSERT_LE(sectors, 6u);
  for (unsigned written = 0; written < 1U << sectors; ++written) {
    std::string bytes = before;
    for (std::size_t i = 0; i < sectors; ++i) {
      const std::size_t at = (first + i) * kSectorBytes;
      if ((written >> i & 1) != 0) bytes.replace(at, kSectorBytes, image.bytes, at, kSectorBytes);
    }
    const Seen seen = read(bytes);
    ASSERT_GE(seen.payloads.size(), 5u) << written;
    const bool is_whole = written == (1U << sectors) - 1;
    ASSERT_EQ(seen.payloads.size() == 8, is_whole) << written;
    ASSERT_NE(seen.end, SegmentEnd::kDamaged) << written << ": " << seen.why;
    if (written == 0) {
      ASSERT_EQ(seen.end, SegmentEnd::kOpen);
    }
  }
}

// The same look, but a later commit says that it had been durable.
TEST(SegmentReader, AHoleBeforeALaterCommitIsDamage) {
  SegmentImage image = three_commits();
  const std::size_t hole = (image.end / kSectorBytes + 1) * kSectorBytes;
  image.entry(payload_of(3'000, 'x')).commit().entry(payload_of(20, 'y')).commit();
  image.bytes.replace(hole, kSectorBytes, kSectorBytes, '\0');
  const Seen seen = read(image.bytes);
  EXPECT_EQ(seen.payloads.size(), 5u);
  EXPECT_EQ(seen.end, SegmentEnd::kDamaged);
}

TEST(SegmentReader, AFileOfAnyLengthGivesWhatIsWholeInIt) {
  const SegmentImage image = three_commits();
  std::size_t most = 0;
  for (std::size_t size = 0; size < image.bytes.size(); ++size) {
    const Seen seen = read(std::span(image.bytes.data(), size));
    if (size < kSegmentHeaderBytes) {
      ASSERT_FALSE(seen.has_header);
      continue;
    }
    ASSERT_EQ(seen.end, SegmentEnd::kTorn) << size;
    ASSERT_GE(seen.payloads.size(), most);
    most = seen.payloads.size();
    if (size >= image.end) {
      ASSERT_EQ(most, 5u);
    }
  }
}

TEST(SegmentReader, AnEntryTwiceOrMissingIsDamage) {
  const SegmentImage image = three_commits();
  const std::size_t open = kSegmentHeaderBytes + frame_bytes(kOpenPayloadBytes);
  const std::size_t size = frame_bytes(300);
  std::string twice = image.bytes;
  twice.insert(open, image.bytes, open, size);
  twice.resize(image.bytes.size());
  EXPECT_EQ(read(twice).payloads.size(), 1u);
  EXPECT_EQ(read(twice).end, SegmentEnd::kDamaged);
  EXPECT_EQ(read(twice).why, "an entry is missing or stands twice");
  std::string missing = image.bytes;
  missing.erase(open, size);
  missing.append(size, '\0');
  EXPECT_EQ(read(missing).payloads.size(), 0u);
  EXPECT_EQ(read(missing).end, SegmentEnd::kDamaged);
}

// An entry of the same sequence number, well formed, from a history that went another way.
TEST(SegmentReader, AnEntryOfAnotherHistoryBreaksTheChain) {
  SegmentImage ours;
  SegmentImage other;
  ours.entry(payload_of(300, 'a')).commit().entry(payload_of(100, 'b')).commit();
  other.entry(payload_of(300, 'z')).commit().entry(payload_of(100, 'b')).commit();
  const std::size_t second =
      kSegmentHeaderBytes + frame_bytes(kOpenPayloadBytes) + frame_bytes(300);
  ours.bytes.replace(second, frame_bytes(100), other.bytes, second, frame_bytes(100));
  const Seen seen = read(ours.bytes);
  EXPECT_EQ(seen.payloads.size(), 1u);
  EXPECT_EQ(seen.end, SegmentEnd::kDamaged);
}

TEST(SegmentReader, ABeginningInTheMiddleIsDamage) {
  SegmentImage image;
  image.entry(payload_of(300, 'a')).commit().reopen().entry(payload_of(100, 'b')).commit();
  EXPECT_EQ(read(image.bytes).payloads.size(), 1u);
  EXPECT_EQ(read(image.bytes).end, SegmentEnd::kDamaged);
}

TEST(SegmentReader, AFrameThatCannotHaveBeenWrittenThereIsDamage) {
  SegmentImage image;
  image.entry(payload_of(300, 'a')).commit();
  image.durable = image.end + kBlockBytes;
  image.entry(payload_of(100, 'b'));
  EXPECT_EQ(read(image.bytes).payloads.size(), 1u);
  EXPECT_EQ(read(image.bytes).end, SegmentEnd::kDamaged);
}

// A recycled file that was not made zero: its old frames are none of the new segment's.
TEST(SegmentReader, FramesOfAnEarlierLifeAreNoEntries) {
  SegmentImage earlier({.generation = 6, .shard = 1});
  earlier.entry(payload_of(300, 'o')).entry(payload_of(300, 'l')).commit();
  SegmentImage image;
  image.entry(payload_of(300, 'n')).commit();
  image.bytes.replace(image.end, std::string::npos, earlier.bytes, image.end, std::string::npos);
  EXPECT_EQ(read(image.bytes).payloads.size(), 1u);
  EXPECT_EQ(read(image.bytes).end, SegmentEnd::kDamaged);
}

// ... nor do they say anything of what was durable in this one.
TEST(SegmentReader, FramesOfAnEarlierLifeProveNothing) {
  SegmentImage earlier({.generation = 6, .shard = 1});
  earlier.entry(payload_of(9'000, 'o')).commit().entry(payload_of(300, 'l')).commit();
  SegmentImage image;
  image.entry(payload_of(300, 'n')).commit();
  const std::size_t second =
      kSegmentHeaderBytes + frame_bytes(kOpenPayloadBytes) + frame_bytes(9'000);
  image.bytes.replace(second, frame_bytes(300), earlier.bytes, second, frame_bytes(300));
  EXPECT_EQ(read(image.bytes).payloads.size(), 1u);
  EXPECT_EQ(read(image.bytes).end, SegmentEnd::kTorn);
}

}  // namespace
}  // namespace leat::ledger
