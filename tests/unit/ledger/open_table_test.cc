// SPDX-License-Identifier: Apache-2.0
// Goal: what a killed process had begun is known afterwards, each once, unless it has a record; and
// no table, however spoiled, leads a start astray.
// Method: tables left as a kill leaves them, with and without records that settle them; every bit
// of one turned.
#include "ledger/open_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ledger/recovery.h"
#include "segment_image.h"

namespace leat::ledger {
namespace {

constexpr std::size_t kSlots = 4;

struct Memory {
  alignas(64) char bytes[OpenTable::bytes_for(kSlots)] = {};
  std::span<char> span() { return bytes; }
};

OpenRequest request(std::string_view id) {
  return {.generation_id = id,
          .key_id = "key-1",
          .organisation_id = "org-2",
          .workspace_id = "ws-3",
          .api = "chat",
          .model_asked = "some/model",
          .price_version = 4,
          .reserved = 5'000'000'000,
          .byok_reserved = 70,
          .tokens_reserved = 800,
          .began = {1'790'000'000'000'000'006},
          .is_streamed = true};
}

std::vector<std::string> ids(const OpenRequests& open) {
  std::vector<std::string> ids;
  for (const OpenRequest& each : open.requests) ids.emplace_back(each.generation_id);
  return ids;
}

TEST(OpenTable, WhatHasBegunAndNotEndedIsThere) {
  Memory memory;
  OpenTable table(memory.span(), {.generation = 9, .shard = 2});
  EXPECT_EQ(table.slot_count(), kSlots);
  const auto a = table.begin(request("gen-a"));
  const auto b = table.begin(request("gen-b"));
  const auto c = table.begin(request("gen-c"));
  ASSERT_NE(c, OpenTable::kNoSlot);
  table.end(b);
  EXPECT_EQ(table.open_count(), 2u);
  const auto open = open_requests(memory.span());
  ASSERT_TRUE(open);
  EXPECT_EQ(open->owner, (SegmentIdentity{.generation = 9, .shard = 2}));
  EXPECT_EQ(ids(*open), (std::vector<std::string>{"gen-a", "gen-c"}));
  EXPECT_EQ(open->damaged, 0u);
  const OpenRequest& read = open->requests[0];
  EXPECT_EQ(read.key_id, "key-1");
  EXPECT_EQ(read.organisation_id, "org-2");
  EXPECT_EQ(read.workspace_id, "ws-3");
  EXPECT_EQ(read.api, "chat");
  EXPECT_EQ(read.model_asked, "some/model");
  EXPECT_EQ(read.price_version, 4u);
  EXPECT_EQ(read.reserved, 5'000'000'000);
  EXPECT_EQ(read.byok_reserved, 70);
  EXPECT_EQ(read.tokens_reserved, 800);
  EXPECT_EQ(read.began.unix_ns, 1'790'000'000'000'000'006);
  EXPECT_TRUE(read.is_streamed);
  table.end(a);
  table.end(c);
  EXPECT_TRUE(open_requests(memory.span())->requests.empty());
}

TEST(OpenTable, AFullOneSaysSoAndSlotsComeBack) {
  Memory memory;
  OpenTable table(memory.span(), {});
  std::vector<OpenTable::Slot> slots;
  for (std::size_t i = 0; i < kSlots; ++i) slots.push_back(table.begin(request("gen-x")));
  EXPECT_EQ(table.begin(request("gen-y")), OpenTable::kNoSlot);
  table.end(slots[1]);
  EXPECT_EQ(table.begin(request("gen-z")), slots[1]);
  EXPECT_EQ(table.open_count(), kSlots);
}

TEST(OpenTable, TheLongestNamesFit) {
  Memory memory;
  OpenTable table(memory.span(), {});
  const std::string flood(10'000, 'x');
  OpenRequest longest = request(flood);
  longest.key_id = longest.organisation_id = longest.workspace_id = longest.api = flood;
  longest.model_asked = flood;
  longest.price_version = UINT64_MAX;
  longest.reserved = longest.began.unix_ns = INT64_MIN;
  longest.byok_reserved = longest.tokens_reserved = INT64_MIN;
  ASSERT_NE(table.begin(longest), OpenTable::kNoSlot);
  const auto open = open_requests(memory.span());
  ASSERT_TRUE(open);
  ASSERT_EQ(open->requests.size(), 1u);
  EXPECT_EQ(open->requests[0].generation_id.size(), RecordLimits::kIdMax);
  EXPECT_EQ(open->requests[0].model_asked.size(), RecordLimits::kNameMax);
  EXPECT_EQ(open->requests[0].reserved, INT64_MIN);
}

TEST(OpenTable, ATableOfZerosHoldsNothingAndRubbishIsNone) {
  Memory memory;
  EXPECT_TRUE(open_requests(memory.span())->requests.empty());
  EXPECT_TRUE(open_requests({}));
  memory.bytes[0] = 'x';
  EXPECT_EQ(open_requests(memory.span()).error().code, Code::kInvalid);
}

TEST(OpenTable, ATurnedBitNeverPassesForARequest) {
  Memory memory;
  OpenTable table(memory.span(), {.generation = 9});
  ASSERT_NE(table.begin(request("gen-a")), OpenTable::kNoSlot);
  const auto size = open_requests(memory.span())->requests.size();
  ASSERT_EQ(size, 1u);
  for (std::size_t bit = 0; bit < 2 * OpenTable::kSlotBytes * 8; ++bit) {
    memory.bytes[bit / 8] = static_cast<char>(memory.bytes[bit / 8] ^ 1 << bit % 8);
    const auto open = open_requests(memory.span());
    if (open) {
      EXPECT_EQ(open->owner, (SegmentIdentity{.generation = 9}));
      for (const OpenRequest& each : open->requests) EXPECT_EQ(each.generation_id, "gen-a");
      EXPECT_EQ(open->requests.size() + open->damaged, 1u) << bit;
    }
    memory.bytes[bit / 8] = static_cast<char>(memory.bytes[bit / 8] ^ 1 << bit % 8);
  }
}

std::string record_with(std::string_view id) {
  std::vector<char> out(kRecordBytesMax);
  UsageRecord record;
  record.generation_id = id;
  record.add_attempt({});
  return {out.data(), encode(record, out)};
}

TEST(Recovery, OnlyWhatHasNoRecordBecomesAmbiguous) {
  Memory memory;
  OpenTable table(memory.span(), {});
  for (const char* id : {"gen-a", "gen-b", "gen-c"}) {
    ASSERT_NE(table.begin(request(id)), OpenTable::kNoSlot);
  }
  const auto open = open_requests(memory.span());
  Recovery recovery(open->requests);
  SegmentImage image;
  image.entry(record_with("gen-0")).entry(record_with("gen-b"));
  image.entry(record_with("gen-c"), FrameKind::kGrant).commit();  // not a record, whatever it says
  const std::vector<std::span<const char>> files{image.bytes};
  EXPECT_TRUE(replay(files, recovery).is_clean);
  EXPECT_EQ(recovery.records(), 2u);
  EXPECT_EQ(recovery.unreadable(), 0u);
  const auto remaining = recovery.remaining();
  ASSERT_EQ(remaining.size(), 2u);
  EXPECT_EQ(remaining[0].generation_id, "gen-a");
  EXPECT_EQ(remaining[1].generation_id, "gen-c");
}

TEST(Recovery, ARecordThatCannotBeReadIsCounted) {
  Recovery recovery({});
  SegmentImage image;
  image.entry("no record").commit();
  const std::vector<std::span<const char>> files{image.bytes};
  EXPECT_TRUE(replay(files, recovery).is_clean);
  EXPECT_EQ(recovery.unreadable(), 1u);
}

TEST(Recovery, AnAmbiguousRecordKeepsTheReservationAndChargesByPolicy) {
  const OpenRequest open = request("gen-a");
  const UsageRecord borne = record_of(open, AmbiguousCharge::kNothing);
  EXPECT_TRUE(borne.flags.is_ambiguous);
  EXPECT_TRUE(borne.flags.is_recovered);
  EXPECT_TRUE(borne.flags.is_streamed);
  EXPECT_EQ(borne.generation_id, "gen-a");
  EXPECT_EQ(borne.key_id, "key-1");
  EXPECT_EQ(borne.organisation_id, "org-2");
  EXPECT_EQ(borne.workspace_id, "ws-3");
  EXPECT_EQ(borne.model_asked, "some/model");
  EXPECT_EQ(borne.model_served, "");
  EXPECT_EQ(borne.price_version, 4u);
  EXPECT_EQ(borne.reserved, 5'000'000'000);
  EXPECT_EQ(borne.cost, 5'000'000'000);
  EXPECT_EQ(borne.charge, 0);
  EXPECT_EQ(borne.began.unix_ns, 1'790'000'000'000'000'006);
  EXPECT_EQ(record_of(open, AmbiguousCharge::kReserved).charge, 5'000'000'000);
}

}  // namespace
}  // namespace leat::ledger
