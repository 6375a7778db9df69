// SPDX-License-Identifier: Apache-2.0
// Goal: what is known of a ledger survives restarts, crashes, power cuts and retention, and always
// is what its records say; retention takes nothing that only segments know; a projection that says
// something else is found out. Method: folders of segments, looked at by one view after the other.
#include "control/ledger_view.h"

#include <gtest/gtest.h>

#include "control/ledger_usage.h"
#include "ledger_files.h"

namespace leat::control {
namespace {

constexpr std::int64_t kDay = 86'400'000'000'000;
constexpr std::int64_t kFirst = 1'789'948'800'000'000'000;  // 2026-09-21T00:00:00Z
constexpr WallTime kNow{kFirst + kDay / 2};
constexpr Duration kRetention{kDay / 2};

ledger::UsageRecord record(std::string_view id, std::int64_t charge) {
  ledger::UsageRecord record;
  record.generation_id = id;
  record.key_id = "#17";
  record.organisation_id = "#2";
  record.model_served = "some/model";
  record.began = {kFirst};
  record.charge = charge;
  return record;
}

class LedgerViewTest : public testing::Test {
 protected:
  std::unique_ptr<LedgerView> open() {
    auto view = LedgerView::open(files.path);
    EXPECT_TRUE(view) << view.error().what;
    EXPECT_TRUE((*view)->poll(kNow));
    return std::move(*view);
  }
  static std::int64_t charged(const LedgerView& view) {
    return view.book().of_key(17, kNow).charged.total;
  }
  static std::int64_t charged_by_days(const LedgerView& view) {
    std::int64_t sum = 0;
    view.days().each([&](const UsageTable::Row& row) { sum += row.sums.charge; });
    return sum;
  }
  void spoil(const char* name, std::streamoff at) {
    std::fstream stream(files.path / name, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const int byte = stream.get();
    stream.seekp(at);
    stream.put(static_cast<char>(byte ^ 4));
  }
  RebuildReport rebuild() {
    const auto report = rebuild_projection(files.path, kNow);
    EXPECT_TRUE(report);
    return report ? *report : RebuildReport();
  }

  LedgerFiles files;
};

TEST_F(LedgerViewTest, KnowsWhatIsWrittenAsItIsWritten) {
  const auto view = open();
  EXPECT_EQ(charged(*view), 0);
  files.append({record("gen-a", 1), record("gen-b", 10)});
  ASSERT_TRUE(view->poll(kNow));
  EXPECT_EQ(charged(*view), 11);
  EXPECT_EQ(charged_by_days(*view), 11);
  files.append({record("gen-c", 100)}, 1, 3);
  ASSERT_TRUE(view->poll(kNow));
  EXPECT_EQ(charged(*view), 111);
  const auto found = view->lookup().find("gen-b");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(ledger::decode(**found)->charge, 10);
  EXPECT_FALSE(*view->lookup().find("gen-d"));
}

TEST_F(LedgerViewTest, WhoAsksForUsageIsToldWhatIsThereNow) {
  const LedgerUsage usage(open());
  files.append({record("gen-a", 1)});
  EXPECT_EQ(usage.of_key(17, kNow).charged.total, 1);
  EXPECT_EQ(usage.of_organisation(2, kNow).charged.daily, 1);
  files.append({record("gen-b", 10)});
  EXPECT_EQ(usage.of_key(17, kNow).charged.total, 1) << "one moment is one answer";
  EXPECT_EQ(usage.of_key(17, {kNow.unix_ns + 1}).charged.total, 11);
  EXPECT_EQ(usage.up_to_date(kNow).days().size(), 1u);
}

TEST_F(LedgerViewTest, AStartGoesOnFromTheProjection) {
  files.append({record("gen-a", 1), record("gen-b", 10)});
  {
    const auto view = open();
    EXPECT_FALSE(view->is_resumed());
    ASSERT_TRUE(view->save());
  }
  files.append({record("gen-c", 100)});
  files.append({record("gen-d", 1'000)}, 2);
  const auto view = open();
  EXPECT_TRUE(view->is_resumed());
  EXPECT_EQ(charged(*view), 1'111);
  EXPECT_EQ(charged_by_days(*view), 1'111);
  EXPECT_EQ(view->book().records(), 4u);
  EXPECT_EQ(open()->book().encode(), view->book().encode());
}

TEST_F(LedgerViewTest, AProjectionThatDoesNotFitIsNotUsed) {
  files.append({record("gen-a", 1)});
  const std::string durable = files.image().bytes;
  files.append({record("gen-b", 10)});
  ASSERT_TRUE(open()->save());
  const auto size =
      static_cast<std::streamoff>(std::filesystem::file_size(files.path / "projection"));
  for (std::streamoff at = 0; at < size; at += 3) {
    spoil("projection", at);
    const auto view = open();
    ASSERT_FALSE(view->is_resumed()) << at;
    ASSERT_EQ(charged(*view), 11) << at;
    spoil("projection", at);
  }
  EXPECT_TRUE(open()->is_resumed());
  std::ofstream(files.file(1, 0, 0), std::ios::binary) << durable;  // a power cut
  const auto view = open();
  EXPECT_FALSE(view->is_resumed());
  EXPECT_EQ(charged(*view), 1);
  std::ofstream(files.path / "projection.new") << "half";
  EXPECT_EQ(charged(*open()), 1);
}

TEST_F(LedgerViewTest, DaysAreForgottenAndTotalsAreNot) {
  files.append({record("gen-a", 1)});
  const auto view = open();
  ASSERT_TRUE(view->poll({kFirst + (kDaysKept + 1) * kDay}));
  EXPECT_EQ(view->days().size(), 0u);
  EXPECT_EQ(charged(*view), 1);
}

TEST_F(LedgerViewTest, RebuildTellsWhetherTheProjectionWasRight) {
  files.append({record("gen-a", 1), record("gen-b", 10)});
  EXPECT_FALSE(rebuild().had_projection);
  files.append({record("gen-c", 100)});
  RebuildReport report = rebuild();
  EXPECT_TRUE(report.had_projection);
  EXPECT_TRUE(report.is_same);
  EXPECT_EQ(report.records, 3u);
  EXPECT_EQ(report.charged, 111);
  {
    const auto view = open();
    view->book().add(record("gen-x", 5));  // of no segment
    ASSERT_TRUE(view->save());
  }
  EXPECT_FALSE(rebuild().is_same);
  EXPECT_EQ(charged(*open()), 111);
  EXPECT_TRUE(rebuild().is_same);
}

TEST_F(LedgerViewTest, RetentionTakesNothingThatOnlySegmentsKnow) {
  files.append({record("gen-a", 1)});
  files.seal();
  files.append({record("gen-b", 10)});
  files.seal();
  files.append({record("gen-c", 100)});
  files.append({record("gen-d", 1'000)}, 2);
  const std::int64_t old = kFirst / 1'000'000'000 - 1'000;
  for (const auto& file : {files.file(1, 0, 0), files.file(1, 0, 2), files.file(2, 0, 0)}) {
    files.set_written(file, old);
  }
  const auto view = open();
  auto expired = view->expire(kNow, kRetention);
  ASSERT_TRUE(expired);
  ASSERT_EQ(expired->size(), 1u) << "the second is young, and the others may go on";
  EXPECT_EQ(expired->front().name, files.file(1, 0, 0).filename());
  EXPECT_EQ(rebuild().charged, 1'111) << "not gone yet, and not counted twice";
  std::filesystem::remove(files.file(1, 0, 0));
  EXPECT_EQ(charged(*open()), 1'111);
  RebuildReport report = rebuild();
  EXPECT_TRUE(report.had_projection);
  EXPECT_TRUE(report.is_same);
  EXPECT_EQ(report.charged, 1'111);
  EXPECT_EQ(report.missing, 0u);
  std::filesystem::remove(files.path / "projection");
  EXPECT_EQ(charged(*open()), 1'111);
  // The next time, on top of it.
  files.set_written(files.file(1, 0, 1), old);
  view->tail().set_ended_below(3);
  ASSERT_TRUE(view->poll(kNow));
  expired = view->expire(kNow, kRetention);
  ASSERT_TRUE(expired);
  EXPECT_EQ(expired->size(), 3u);
  for (const LedgerFile& file : *expired) std::filesystem::remove(files.path / file.name);
  EXPECT_EQ(charged(*open()), 1'111);
  EXPECT_EQ(rebuild().charged, 1'111);
  EXPECT_EQ(charged_by_days(*open()), 1'111);
  EXPECT_TRUE(view->expire(kNow, kRetention)->empty() || view->poll(kNow));
}

TEST_F(LedgerViewTest, WhoFollowsKeepsTheHouse) {
  files.append({record("gen-a", 1)});
  files.seal();
  files.append({record("gen-b", 10)});
  files.set_written(files.file(1, 0, 0), kFirst / 1'000'000'000 - 1'000);
  {
    LedgerUsage usage(open(), kRetention);
    usage.follow(kNow);
    EXPECT_FALSE(std::filesystem::exists(files.file(1, 0, 0))) << "its time is over";
    EXPECT_TRUE(std::filesystem::exists(files.file(1, 0, 1)));
    std::filesystem::remove(files.path / "projection");
    usage.follow(kNow);
    EXPECT_FALSE(std::filesystem::exists(files.path / "projection")) << "not each time";
    files.append({record("gen-c", 100)});
    usage.finish(kNow);
  }
  const auto view = LedgerView::open(files.path);
  ASSERT_TRUE(view);
  EXPECT_TRUE((*view)->is_resumed());
  EXPECT_EQ(charged(**view), 111) << "without reading anything";
}

TEST_F(LedgerViewTest, WithoutRetentionNothingGoes) {
  files.append({record("gen-a", 1)});
  files.seal();
  files.set_written(files.file(1, 0, 0), 1'000);
  LedgerUsage usage(open());
  usage.follow(kNow);
  EXPECT_TRUE(std::filesystem::exists(files.file(1, 0, 0)));
  EXPECT_TRUE(std::filesystem::exists(files.path / "projection"));
}

TEST_F(LedgerViewTest, WhatWasArchivedAndStayedIsNotCountedTwice) {
  files.append({record("gen-a", 1)});
  files.seal();
  files.append({record("gen-b", 10)});
  files.seal();
  for (int number = 0; number < 2; ++number) files.set_written(files.file(1, 0, number), 1'000);
  const auto view = open();
  const auto expired = view->expire(kNow, kRetention, 1);
  ASSERT_TRUE(expired);
  EXPECT_EQ(expired->size(), 1u) << "no more than asked for";
  EXPECT_EQ(rebuild().charged, 11);
  // Of another process something goes while these stay.
  files.append({record("gen-d", 1'000)}, 2);
  files.end(2);
  files.set_written(files.file(2, 0, 0), 1'000);
  files.set_written(files.file(1, 0, 0), kNow.unix_ns / 1'000'000'000);
  ASSERT_TRUE(view->poll(kNow));
  ASSERT_EQ(view->expire(kNow, kRetention)->size(), 1u);
  std::filesystem::remove(files.file(2, 0, 0));
  EXPECT_EQ(rebuild().charged, 1'011);
  EXPECT_TRUE(rebuild().is_same);
}

TEST_F(LedgerViewTest, TheArchiveHasOnlyWhatWentAndTheProjectionIsNotLeftBehind) {
  files.append({record("gen-a", 1)});
  ASSERT_TRUE(open()->save());  // in the middle of what goes
  files.append({record("gen-b", 10)});
  files.seal();
  files.append({record("gen-c", 100)});
  const std::string durable = files.image().bytes;
  files.append({record("gen-d", 1'000)});
  files.set_written(files.file(1, 0, 0), 1'000);
  ASSERT_EQ(open()->expire(kNow, kRetention)->size(), 1u);
  std::filesystem::remove(files.file(1, 0, 0));
  EXPECT_EQ(charged(*open()), 1'111);
  std::ofstream(files.file(1, 0, 1), std::ios::binary) << durable;  // a power cut
  EXPECT_EQ(charged(*open()), 111);
  EXPECT_EQ(rebuild().charged, 111);
}

TEST_F(LedgerViewTest, TheArchiveKeepsDaysAsLongAsTheyAreToldOf) {
  ledger::UsageRecord old = record("gen-a", 1);
  old.began.unix_ns -= (kDaysKept + 1) * kDay;
  files.append({old, record("gen-b", 10)});
  files.seal();
  files.set_written(files.file(1, 0, 0), 1'000);
  ASSERT_EQ(open()->expire(kNow, kRetention)->size(), 1u);
  std::filesystem::remove(files.file(1, 0, 0));
  std::filesystem::remove(files.path / "projection");
  const auto view = LedgerView::open(files.path);
  ASSERT_TRUE(view);
  EXPECT_EQ(charged_by_days(**view), 10);
  EXPECT_EQ(charged(**view), 11);
}

TEST_F(LedgerViewTest, ADamagedArchiveIsAnError) {
  files.append({record("gen-a", 1)});
  files.seal();
  files.set_written(files.file(1, 0, 0), 1'000);
  ASSERT_EQ(open()->expire(kNow, kRetention)->size(), 1u);
  std::filesystem::remove(files.file(1, 0, 0));
  EXPECT_EQ(rebuild().charged, 1);
  spoil("archive", 20);
  EXPECT_TRUE(open()->is_resumed()) << "it serves";
  EXPECT_FALSE(rebuild_projection(files.path, kNow));
  std::filesystem::remove(files.path / "projection");
  EXPECT_FALSE(LedgerView::open(files.path));
}

TEST(ExpiredSegments, OnlyWhatWasReadAndNothingBehindWhatStays) {
  const auto age = [](std::uint64_t number, SegmentState state, std::uint64_t ordinal,
                      std::int64_t written) {
    const ledger::SegmentIdentity owner{.generation = 1, .shard = 0, .number = number};
    return SegmentAge{
        .file = segment_file(owner), .state = state, .ordinal = ordinal, .written = {written}};
  };
  const auto numbers = [](const std::vector<LedgerFile>& files) {
    std::vector<std::uint64_t> found;
    for (const LedgerFile& file : files) found.push_back(file.owner.number);
    return found;
  };
  using Numbers = std::vector<std::uint64_t>;
  using enum SegmentState;
  EXPECT_EQ(numbers(expired_segments(
                {age(5, kRead, 1, 10), age(3, kRead, 0, 5), age(4, kRead, 2, 20)}, {15})),
            (Numbers{3, 5}));
  EXPECT_EQ(numbers(expired_segments({age(3, kRead, 0, 20), age(5, kRead, 1, 10)}, {15})),
            Numbers{})
      << "nothing behind one that stays";
  EXPECT_EQ(numbers(expired_segments({age(3, kReading, 0, 5), age(5, kRead, 1, 5)}, {15})),
            Numbers{});
  EXPECT_EQ(numbers(expired_segments({age(3, kUnread, 0, 5), age(5, kRead, 1, 5)}, {15})),
            Numbers{});
  EXPECT_EQ(numbers(expired_segments({age(3, kUnused, 0, 5), age(5, kRead, 1, 5)}, {15})),
            (Numbers{5}));
  EXPECT_EQ(numbers(expired_segments({age(3, kNeverUsed, 0, 5), age(4, kNeverUsed, 0, 16)}, {15})),
            (Numbers{3}));
  EXPECT_EQ(numbers(expired_segments({age(3, kRead, 0, 15)}, {15})), Numbers{});
}

class RecordLookupTest : public testing::Test {
 protected:
  LedgerFiles files;
};

TEST_F(RecordLookupTest, OldOnesAreFoundByTheTimeThatTheirIdTells) {
  const std::string id = "gen-01lblv0-0123456789abcdefghij";
  ASSERT_TRUE(second_of_id(id));
  EXPECT_FALSE(second_of_id("gen-01lblv0"));
  EXPECT_FALSE(second_of_id("gen-01lblw!-x"));
  EXPECT_FALSE(second_of_id("req-01lblv0-0123456789abcdefghij"));
  EXPECT_EQ(second_of_id("gen-0000010-x"), 32);
  files.append({record("gen-other", 1), record(id, 10)});
  const auto folder = SegmentFolder::open(files.path);
  const RecordLookup lookup(*folder);
  const std::int64_t second = *second_of_id(id);
  files.set_written(files.file(1, 0, 0), second + 10);
  auto found = lookup.find(id);
  ASSERT_TRUE(found);
  ASSERT_TRUE(*found) << second;
  EXPECT_EQ(ledger::decode(**found)->charge, 10);
  EXPECT_FALSE(*lookup.find("gen-01lblv0-0123456789abcdefghi0"));
  EXPECT_FALSE(*lookup.find("gen-other")) << "not indexed, and without a time";
  files.set_written(files.file(1, 0, 0), second - 8'000);
  EXPECT_FALSE(*lookup.find(id)) << "a segment that was finished before is not read";
}

TEST_F(RecordLookupTest, SegmentsAreNotReadForIdsThatTheIndexWouldHave) {
  const auto id = [](char last) { return std::string("gen-01lblv0-0123456789abcdefghi") + last; };
  const std::string later = "gen-01lblv1-0123456789abcdefghij";
  files.append({record(id('a'), 1), record(later, 2)});
  const std::int64_t second = *second_of_id(later);
  files.set_written(files.file(1, 0, 0), second);
  const auto folder = SegmentFolder::open(files.path);
  RecordLookup lookup(*folder, 2);
  lookup.set_complete_after({(second - 1) * 1'000'000'000});
  EXPECT_TRUE(*lookup.find(id('a'))) << "it may be older than the index";
  EXPECT_FALSE(*lookup.find(later)) << "it would have been put";
  const RecordPlace nowhere{.segment = {.generation = 9, .shard = 0, .number = 0}, .offset = 0};
  for (int i = 0; i < 2; ++i) lookup.put(later, nowhere);
  EXPECT_FALSE(*lookup.find(later));
  lookup.put(id('b'), nowhere);
  EXPECT_TRUE(*lookup.find(later)) << "it may be one that the index had to drop";
}

TEST_F(RecordLookupTest, TheNewestAreInTheIndex) {
  files.append({record("gen-a", 1), record("gen-b", 2), record("gen-c", 3), record("gen-d", 4),
                record("gen-e", 5)});
  const auto folder = SegmentFolder::open(files.path);
  RecordLookup lookup(*folder, 4);
  struct Feeder final : TailVisitor {
    explicit Feeder(RecordLookup& to) : to(to) {}
    void on_entry(const RecordPlace& place, const ledger::Entry& entry) override {
      to.put(*ledger::decode_generation_id(entry.payload), place);
    }
    RecordLookup& to;
  } feeder(lookup);
  LedgerTail tail(*folder);
  ASSERT_TRUE(tail.poll(feeder));
  EXPECT_FALSE(*lookup.find("gen-a") && *lookup.find("gen-b")) << "bounded";
  for (const char* id : {"gen-c", "gen-d", "gen-e"}) {
    const auto found = lookup.find(id);
    ASSERT_TRUE(found && *found) << id;
    EXPECT_EQ(ledger::decode(**found)->generation_id, id);
  }
  EXPECT_FALSE(*lookup.find("gen-f"));
  const auto image_end = static_cast<std::uint32_t>(ledger::kSegmentHeaderBytes + 64);
  lookup.put("gen-f", {.segment = {.generation = 1, .shard = 0, .number = 0}, .offset = image_end});
  EXPECT_FALSE(*lookup.find("gen-f")) << "what stands there is another's";
  std::filesystem::remove(files.file(1, 0, 0));
  EXPECT_FALSE(*lookup.find("gen-e")) << "retention took it";
}

}  // namespace
}  // namespace leat::control
