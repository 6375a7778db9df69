// SPDX-License-Identifier: Apache-2.0
// Goal: a start finds exactly what the processes before it had begun and not recorded, whichever of
// them wrote the record; and removes no file whose absence would look like a loss. Method: tables
// and segments as processes leave them, of several generations and shards, in any order.
#include "ledger/recovery.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "segment_image.h"

namespace leat::ledger {
namespace {

std::string record_bytes(std::string_view id) {
  UsageRecord record;
  record.generation_id = id;
  std::string bytes(kRecordBytesMax, '\0');
  bytes.resize(encode(record, bytes));
  return bytes;
}

OpenRequests table_of(std::uint64_t generation, std::uint32_t shard,
                      const std::vector<std::string_view>& ids) {
  OpenRequests table{.owner = {.generation = generation, .shard = shard}, .requests = {}};
  for (const std::string_view id : ids) table.requests.push_back({.generation_id = id});
  return table;
}

// With these records, in one commit.
SegmentImage segment_of(const SegmentIdentity& owner, const std::vector<std::string_view>& ids) {
  SegmentImage image(owner);
  for (const std::string_view id : ids) image.entry(record_bytes(id));
  return image.commit();
}

std::vector<std::string_view> ids_of(const std::vector<OpenRequest>& requests) {
  std::vector<std::string_view> ids;
  for (const OpenRequest& request : requests) ids.push_back(request.generation_id);
  return ids;
}

std::string unused(const SegmentIdentity& owner) {
  std::string bytes(kSegmentBytesMin, '\0');
  write_segment_header({.identity = owner, .bytes = kSegmentBytesMin}, bytes);
  return bytes;
}

TEST(Recovery, ARecordOfAnyLaterProcessSettlesIt) {
  const SegmentIdentity first{.generation = 3, .shard = 0};
  const SegmentIdentity other{.generation = 3, .shard = 1};
  const SegmentIdentity later{.generation = 4, .shard = 0};
  const SegmentImage own = segment_of(first, {"own"});
  const SegmentImage of_other = segment_of(other, {"unrelated"});
  const SegmentImage by_start = segment_of(later, {"recovered"});
  const std::vector<OpenRequests> tables{table_of(3, 0, {"own", "cut", "recovered"}),
                                         table_of(4, 1, {"cut-later"})};
  const std::vector<OwnedSegment> segments{
      {later, by_start.bytes}, {first, own.bytes}, {other, of_other.bytes}};
  EXPECT_EQ(ids_of(unsettled_requests(tables, segments)),
            (std::vector<std::string_view>{"cut", "cut-later"}));
  EXPECT_TRUE(unsettled_requests({}, segments).empty());
}

// Ids are of one process; a table of a later one says nothing of segments before it.
TEST(Recovery, SegmentsOlderThanEveryTableAreNotRead) {
  const SegmentIdentity old{.generation = 1, .shard = 0};
  const SegmentImage image = segment_of(old, {"again"});
  const std::vector<OpenRequests> tables{table_of(2, 0, {"again"})};
  const std::vector<OwnedSegment> segments{{old, image.bytes}};
  EXPECT_EQ(ids_of(unsettled_requests(tables, segments)), (std::vector<std::string_view>{"again"}));
}

TEST(Recovery, WhatWasNeverWrittenToMayGo) {
  const SegmentIdentity owner{.generation = 2, .shard = 1};
  const SegmentImage written = segment_of(owner, {"one"});
  const std::string next = unused({.generation = 2, .shard = 1, .number = 1});
  const std::string emergency = unused({.generation = 2, .shard = 1, .number = 2});
  const std::vector<OwnedSegment> segments{
      {owner, next}, {owner, written.bytes}, {owner, emergency}};
  EXPECT_EQ(unneeded_segments(segments), (std::vector<std::size_t>{0, 2}));
}

// The process was killed between a seal and the first write to what follows.
TEST(Recovery, WhatFollowsASealStays) {
  const SegmentIdentity owner{.generation = 2, .shard = 1};
  SegmentImage sealed = segment_of(owner, {"one"});
  sealed.seal();
  const std::string next = unused({.generation = 2, .shard = 1, .number = 1});
  const SegmentIdentity other{.generation = 2, .shard = 0};
  const std::string of_other = unused(other);
  const std::vector<OwnedSegment> segments{{owner, sealed.bytes}, {owner, next}, {other, of_other}};
  EXPECT_EQ(unneeded_segments(segments), (std::vector<std::size_t>{2}));
}

TEST(Recovery, OneFrameIsUse) {
  EXPECT_TRUE(is_unused_segment(unused({.generation = 1})));
  EXPECT_TRUE(is_unused_segment(std::string(kSegmentHeaderBytes, 'x')));
  EXPECT_FALSE(is_unused_segment(segment_of({.generation = 1}, {"one"}).bytes));
}

}  // namespace
}  // namespace leat::ledger
