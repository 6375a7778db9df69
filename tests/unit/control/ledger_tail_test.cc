// SPDX-License-Identifier: Apache-2.0
// Goal: who follows a ledger that is being written is told of every entry once, whatever happens
// between two looks: half a commit, a failed write, a segment more, a restart, a power cut. Method:
// segments as a ledger leaves them, written to a folder byte by byte; random histories, of which
// replay() must tell the same in the end.
#include "control/ledger_tail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "../ledger/segment_image.h"
#include "control/ledger_history.h"

namespace leat::control {
namespace {

using ledger::SegmentIdentity;
using ledger::SegmentImage;

struct Told final : TailVisitor {
  void on_entry(const RecordPlace& place, const ledger::Entry& entry) override {
    payloads.emplace_back(entry.payload.begin(), entry.payload.end());
    sequences.push_back(entry.sequence);
    places.push_back(place);
  }
  std::vector<std::string> payloads;
  std::vector<std::uint64_t> sequences;
  std::vector<RecordPlace> places;
};

class LedgerTailTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "leat-tail-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    path = pattern;
    auto opened = SegmentFolder::open(path);
    ASSERT_TRUE(opened);
    folder.emplace(std::move(*opened));
  }
  void TearDown() override { std::filesystem::remove_all(path); }

  std::filesystem::path file_of(const SegmentIdentity& identity) const {
    return path / segment_file(identity).name;
  }
  void write(const SegmentIdentity& identity, std::string_view bytes) const {
    std::ofstream out(file_of(identity), std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  // A segment that was made and not used.
  void make(const SegmentIdentity& identity) const {
    std::string bytes(ledger::kSegmentBytesMin, '\0');
    ledger::write_segment_header({.identity = identity, .bytes = bytes.size(), .created = {1}},
                                 bytes);
    write(identity, bytes);
  }
  bool poll(LedgerTail& tail, std::size_t bytes_max = SIZE_MAX) {
    const auto is_more = tail.poll(told, bytes_max);
    EXPECT_TRUE(is_more);
    return is_more && *is_more;
  }

  std::filesystem::path path;
  std::optional<SegmentFolder> folder;
  Told told;
};

constexpr SegmentIdentity kOne{.generation = 7, .shard = 1, .number = 0};
constexpr SegmentIdentity kTwo{.generation = 7, .shard = 1, .number = 1};

std::string text(int number) {
  return ledger::payload_of(300, static_cast<char>('a' + number)) + std::to_string(number);
}

TEST_F(LedgerTailTest, EntriesAreToldOnceAsTheyCome) {
  LedgerTail tail(*folder);
  EXPECT_FALSE(poll(tail));
  make(kOne);
  EXPECT_FALSE(poll(tail));
  SegmentImage image(kOne);
  for (int i = 0; i < 40; ++i) {
    image.entry(text(i)).commit();
    write(kOne, image.bytes);
    EXPECT_FALSE(poll(tail));
    ASSERT_EQ(told.payloads.size(), static_cast<std::size_t>(i) + 1);
    EXPECT_EQ(told.payloads.back(), text(i));
    EXPECT_EQ(told.places.back().segment, kOne);
    const auto read = read_payload(*folder, told.places.back());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, text(i));
  }
  poll(tail);
  EXPECT_EQ(told.payloads.size(), 40u);
  EXPECT_EQ(tail.missing(), 0u);
}

TEST_F(LedgerTailTest, HalfAWriteIsNothingYet) {
  SegmentImage image(kOne);
  image.entry(text(0)).commit();
  const std::string before = image.bytes;
  const std::size_t from = image.end;
  image.entry(text(1));
  for (std::size_t cut = from; cut < image.end; cut += 7) {
    LedgerTail tail(*folder);
    told = {};
    write(kOne, image.bytes.substr(0, cut) + before.substr(cut));
    poll(tail);
    // The zeros that end a frame are no part of what it says.
    ASSERT_EQ(told.payloads.size(),
              cut + ledger::kFrameAlign > image.end ? told.payloads.size() : 1u)
        << cut;
    write(kOne, image.bytes);
    poll(tail);
    ASSERT_EQ(told.payloads.size(), 2u) << cut;
    ASSERT_EQ(told.payloads[1], text(1));
  }
}

TEST_F(LedgerTailTest, WhatAFailedWriteLeftIsToldOnce) {
  LedgerTail tail(*folder);
  SegmentImage one(kOne);
  one.entry(text(0)).entry(text(1)).entry(text(2)).commit();
  const std::uint64_t chain = one.chain;
  one.entry(text(3)).entry(text(4));
  write(kOne, one.bytes);
  poll(tail);
  EXPECT_EQ(told.sequences, (std::vector<std::uint64_t>{0, 1, 2, 3, 4}));
  SegmentImage two(kTwo, 1, 3, chain);
  two.entry(text(3)).entry(text(4)).entry(text(5)).commit();
  write(kTwo, two.bytes);
  poll(tail);
  EXPECT_EQ(told.sequences, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5}));
  two.entry(text(6)).commit();
  write(kTwo, two.bytes);
  poll(tail);
  EXPECT_EQ(told.sequences.size(), 7u);
  // Somebody who begins now is told the same.
  LedgerTail other(*folder);
  told = {};
  poll(other);
  EXPECT_EQ(told.sequences, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST_F(LedgerTailTest, WhatStandsTwiceIsToldOnceAlsoByWhoGoesOnInTheMiddleOfIt) {
  SegmentImage one(kOne);
  one.entry(text(0)).entry(text(1)).entry(text(2));
  write(kOne, one.bytes);
  std::optional<LedgerTail> tail(*folder);
  poll(*tail);
  SegmentImage two(kTwo, 1, 0, 0);
  two.entry(text(0)).entry(text(1)).entry(text(2)).entry(text(3)).commit();
  write(kTwo, two.bytes);
  for (bool is_more = true; is_more;) {
    is_more = poll(*tail, 1);
    const auto positions = tail->positions();
    tail.emplace(*folder);
    ASSERT_TRUE(*tail->resume(positions));
  }
  EXPECT_EQ(told.sequences, (std::vector<std::uint64_t>{0, 1, 2, 3}));
}

TEST_F(LedgerTailTest, SegmentsAreReadInTheOrderOfUseAndNotOfNumbers) {
  LedgerTail tail(*folder);
  make(kOne);
  SegmentImage first(kTwo, 0);
  first.entry(text(0)).commit();
  write(kTwo, first.bytes);
  poll(tail);
  first.entry(text(1)).seal();
  write(kTwo, first.bytes);
  SegmentImage second(kOne, 1, 2, first.chain);
  second.entry(text(2)).seal(ledger::FrameKind::kEnd);
  write(kOne, second.bytes);
  poll(tail);
  EXPECT_EQ(told.sequences, (std::vector<std::uint64_t>{0, 1, 2}));
  EXPECT_EQ(tail.missing(), 0u);
}

TEST_F(LedgerTailTest, WhatIsMissingIsCounted) {
  LedgerTail tail(*folder);
  SegmentImage one(kOne);
  one.entry(text(0)).commit();
  write(kOne, one.bytes);
  poll(tail);
  SegmentImage two(kTwo, 1, 4, 99);
  two.entry(text(4)).commit();
  write(kTwo, two.bytes);
  poll(tail);
  EXPECT_EQ(told.sequences, (std::vector<std::uint64_t>{0, 4}));
  EXPECT_EQ(tail.missing(), 3u);
}

TEST_F(LedgerTailTest, ACallReadsNoMoreThanItMay) {
  SegmentImage image(kOne, 0, 0, 0, std::uint64_t{8} << 20);
  int entries = 0;
  for (; image.end < (std::size_t{7} << 20); ++entries) {
    image.entry(ledger::payload_of(9'000, static_cast<char>(entries)));
  }
  write(kOne, image.commit().bytes);
  LedgerTail tail(*folder);
  int calls = 1;
  std::size_t before = 0;
  for (; poll(tail, 1); ++calls) {
    EXPECT_GT(told.sequences.size(), before) << "every call comes further";
    EXPECT_LE((told.sequences.size() - before) * 9'000, 2 * LedgerTail::kReadBytes);
    before = told.sequences.size();
    ASSERT_LT(calls, 1'000);
  }
  EXPECT_GT(calls, 3);
  EXPECT_EQ(told.sequences.size(), static_cast<std::size_t>(entries));
  EXPECT_EQ(std::set(told.sequences.begin(), told.sequences.end()).size(), told.sequences.size());
}

TEST_F(LedgerTailTest, AnotherGoesOnWhereOneWas) {
  SegmentImage one(kOne);
  SegmentImage two(kTwo);
  std::vector<TailPosition> positions;
  std::uint64_t count = 0;
  const auto go_on = [&] {
    LedgerTail tail(*folder);
    const auto is_same = tail.resume(positions);
    ASSERT_TRUE(is_same);
    ASSERT_TRUE(*is_same);
    told = {};
    poll(tail);
    positions = tail.positions();
    for (const std::uint64_t sequence : told.sequences) EXPECT_EQ(sequence, count++);
  };
  go_on();
  make(kOne);
  go_on();
  EXPECT_TRUE(positions.empty()) << "nothing was written";
  write(kOne, one.bytes);
  go_on();
  for (int i = 0; i < 5; ++i) {
    write(kOne, one.entry(text(i)).commit().bytes);
    go_on();
    EXPECT_EQ(told.sequences.size(), 1u);
  }
  write(kOne, one.seal().bytes);
  go_on();
  go_on();
  two = SegmentImage(kTwo, 1, 5, one.chain);
  write(kTwo, two.entry(text(5)).commit().bytes);
  go_on();
  EXPECT_EQ(count, 6u);
  go_on();
  EXPECT_TRUE(told.sequences.empty());
  std::filesystem::remove(file_of(kOne));
  write(kTwo, two.entry(text(6)).seal(ledger::FrameKind::kEnd).bytes);
  go_on();
  go_on();
  EXPECT_EQ(count, 7u);
  std::filesystem::remove(file_of(kTwo));
  go_on();
  EXPECT_TRUE(positions.empty()) << "of what retention removed there is nothing to remember";
}

TEST_F(LedgerTailTest, WhatAPowerCutTookIsFound) {
  SegmentImage image(kOne);
  image.entry(text(0)).commit();
  const std::string durable = image.bytes;
  write(kOne, image.entry(text(1)).bytes);
  LedgerTail tail(*folder);
  poll(tail);
  ASSERT_EQ(told.sequences.size(), 2u);
  write(kOne, durable);
  LedgerTail next(*folder);
  const auto is_same = next.resume(tail.positions());
  ASSERT_TRUE(is_same);
  EXPECT_FALSE(*is_same);
  SegmentImage other(kOne);
  other.entry(text(0)).entry(text(2)).commit();
  write(kOne, other.bytes);
  LedgerTail third(*folder);
  EXPECT_FALSE(*third.resume(tail.positions())) << "another entry in its place";
}

TEST_F(LedgerTailTest, EndedProcessesAreNotLookedAtAgain) {
  SegmentImage image(kOne);
  write(kOne, image.entry(text(0)).commit().bytes);
  LedgerTail tail(*folder);
  tail.set_ended_below(8);
  poll(tail);
  write(kOne, image.entry(text(1)).commit().bytes);
  poll(tail);
  EXPECT_EQ(told.sequences.size(), 1u);
  ASSERT_EQ(tail.positions().size(), 1u);
  EXPECT_EQ(tail.positions()[0].place.next_sequence, 1u);
}

TEST_F(LedgerTailTest, FilesThatAreNoSegmentsAreNoConcern) {
  std::ofstream(path / "0000000000000007-0001-00000003.segment") << "short";
  std::string other(ledger::kSegmentBytesMin, '\0');
  write(kTwo, SegmentImage(kOne).entry(text(0)).commit().bytes);  // a copy under another's name
  LedgerTail tail(*folder);
  poll(tail);
  EXPECT_TRUE(told.sequences.empty());
  EXPECT_FALSE(read_payload(*folder, {.segment = kOne, .offset = 4096}));
  EXPECT_FALSE(read_payload(*folder, {.segment = kTwo, .offset = 5}));
}

// One shard of a process that writes, seals, and fails to write.
struct Writer {
  SegmentIdentity identity;
  std::uint64_t ordinal = 0;
  SegmentImage image{identity};
  std::uint64_t durable_sequence = 0;
  std::uint64_t durable_chain = 0;
  std::vector<std::string> unsure;  // written, and not yet said to be durable

  void commit() {
    image.commit();
    unsure.clear();
    durable_sequence = image.sequence;
    durable_chain = image.chain;
  }
  void append(const std::string& payload) {
    image.entry(payload);
    unsure.push_back(payload);
  }
  void next(bool is_failure) {
    if (!is_failure) commit();
    if (!is_failure) image.seal();
    ++identity.number;
    const std::vector<std::string> again = unsure;
    const std::uint64_t chain = durable_chain;
    image = SegmentImage(identity, ++ordinal, durable_sequence, chain);
    for (const std::string& payload : again) image.entry(payload);
  }
};

TEST_F(LedgerTailTest, RandomHistoriesAreToldAsReplayTellsThem) {
  std::mt19937_64 random(20261121);
  for (int round = 0; round < 40; ++round) {
    for (const auto& file : std::filesystem::directory_iterator(path)) {
      std::filesystem::remove(file);
    }
    std::vector<Writer> writers;
    for (std::uint32_t i = 0; i < 3; ++i) {
      writers.push_back({.identity = {.generation = 1 + i / 2, .shard = i % 2, .number = 0}});
    }
    std::optional<LedgerTail> tail(*folder);
    told = {};
    int number = 0;
    for (int step = 0; step < 60; ++step) {
      Writer& writer = writers[random() % writers.size()];
      const auto dice = random() % 100;
      const bool is_full = writer.image.end > ledger::kSegmentBytesMin - 4'096;
      if (dice < 60 && !is_full)
        writer.append(std::to_string(number++) + std::string(random() % 900, 'x'));
      if (dice < 40) writer.commit();
      if (is_full || dice >= 92) {
        write(writer.identity, writer.image.bytes);
        writer.next(!is_full && dice >= 96);
      }
      write(writer.identity, writer.image.bytes);
      if (dice % 3 == 0) poll(*tail, dice % 2 == 0 ? SIZE_MAX : 1);
      if (dice % 17 == 0) {
        const auto positions = tail->positions();
        tail.emplace(*folder);
        ASSERT_TRUE(*tail->resume(positions));
      }
    }
    while (poll(*tail)) continue;
    std::multiset<std::string> replayed;
    struct Collector final : ledger::EntryVisitor {
      explicit Collector(std::multiset<std::string>& into) : into(into) {}
      void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
        into.emplace(entry.payload.begin(), entry.payload.end());
      }
      std::multiset<std::string>& into;
    } collector(replayed);
    ASSERT_TRUE(for_each_history(*folder, [&](const History& history) {
      EXPECT_TRUE(replay_history(history, collector).is_intact);
      return true;
    }));
    std::sort(told.payloads.begin(), told.payloads.end());
    ASSERT_TRUE(std::ranges::equal(told.payloads, replayed))
        << round << ": " << told.payloads.size() << " instead of " << replayed.size();
    EXPECT_EQ(tail->missing(), 0u);
  }
}

}  // namespace
}  // namespace leat::control
