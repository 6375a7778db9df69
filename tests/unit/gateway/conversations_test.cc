// SPDX-License-Identifier: Apache-2.0
// Goal: a conversation stays where its prompt is cached, on every shard, and nobody else's does.
// Method: two shards' tables that hear each other's news.
#include "gateway/conversations.h"

#include <gtest/gtest.h>

namespace leat::gateway {
namespace {

constexpr Instant kBegin{1'000'000'000'000};
constexpr dialect::StickyKey kSession{dialect::StickyKind::kSession, 42};
constexpr dialect::StickyKey kMessages{dialect::StickyKind::kMessages, 42};

TEST(Conversations, ASessionBeginsWithItsFirstAnswer) {
  Conversations table(100);
  const Conversation session = Conversations::of("alice", "acme/one", kSession);
  EXPECT_EQ(table.find(session, kBegin), 0u);
  table.answered(session, 7, false, kBegin);
  EXPECT_EQ(table.find(session, kBegin), 7u);
}

TEST(Conversations, WithoutASessionOnlyACacheHitBeginsOne) {
  Conversations table(100);
  const Conversation messages = Conversations::of("alice", "acme/one", kMessages);
  table.answered(messages, 7, false, kBegin);
  EXPECT_EQ(table.find(messages, kBegin), 0u);
  table.answered(messages, 7, true, kBegin);
  EXPECT_EQ(table.find(messages, kBegin), 7u);
  table.answered(messages, 7, false, kBegin + seconds(500));
  EXPECT_EQ(table.find(messages, kBegin + seconds(1'000)), 7u);
}

TEST(Conversations, AreOfOneKeyAndOneModel) {
  Conversations table(100);
  table.answered(Conversations::of("alice", "acme/one", kSession), 7, false, kBegin);
  EXPECT_EQ(table.find(Conversations::of("bob", "acme/one", kSession), kBegin), 0u);
  EXPECT_EQ(table.find(Conversations::of("alice", "acme/two", kSession), kBegin), 0u);
  EXPECT_EQ(table.find(Conversation(), kBegin), 0u);
}

TEST(Conversations, OthersHearOfWhatIsNew) {
  Conversations here(100);
  Conversations there(100);
  const Conversation session = Conversations::of("alice", "acme/one", kSession);
  std::vector<HeldConversation> news;
  here.answered(session, 7, false, kBegin);
  here.answered(session, 7, false, kBegin + seconds(1));
  here.take_news(news);
  ASSERT_EQ(news.size(), 1u);
  there.apply(news, kBegin + seconds(1));
  EXPECT_EQ(there.find(session, kBegin + seconds(1)), 7u);
  std::vector<HeldConversation> echo;
  there.take_news(echo);
  EXPECT_TRUE(echo.empty());
  here.take_news(news);
  EXPECT_TRUE(news.empty());
  // It moved: told again, and followed.
  there.answered(session, 8, false, kBegin + seconds(2));
  there.take_news(news);
  here.apply(news, kBegin + seconds(2));
  EXPECT_EQ(here.find(session, kBegin + seconds(2)), 8u);
}

TEST(Conversations, WhatIsToldIsAsOldAsItsUse) {
  Conversations here(100);
  const Conversation session = Conversations::of("alice", "acme/one", kSession);
  const std::vector<HeldConversation> told{{session.key, 7, kBegin}};
  here.answered(session, 8, false, kBegin + seconds(1));
  here.apply(told, kBegin + seconds(2));
  EXPECT_EQ(here.find(session, kBegin + seconds(2)), 8u) << "it has moved since";
  Conversations there(100);
  there.apply(told, kBegin + seconds(2));
  EXPECT_EQ(there.find(session, kBegin + seconds(599)), 7u);
  EXPECT_EQ(there.find(session, kBegin + seconds(600)), 0u);
}

// Who comes after this process, of another version too, makes the same of the same names.
TEST(Conversations, AreCalledTheSameEverywhere) {
  const Conversation session = Conversations::of("alice", "acme/one", kSession);
  EXPECT_EQ(session.key.high, 0x2388'f091'a501'1cf6u);
  EXPECT_EQ(session.key.low, 0xa61f'99dc'ae93'c42du);
  dialect::RoutingFields fields;
  fields.session_id = "a session";
  EXPECT_EQ(dialect::sticky_key(fields, {}).hash, 0xcd3abb482bf0dad8u);
  fields.session_id = {};
  fields.first_system_message = "{\"role\":\"system\"}";
  fields.first_other_message = "{\"role\":\"user\"}";
  EXPECT_EQ(dialect::sticky_key(fields, {}).hash, 0x75825f10c6c353abu);
}

TEST(Conversations, NoneIsHeldWhereTheyAreOff) {
  Conversations table(0);
  const Conversation session = Conversations::of("alice", "acme/one", kSession);
  table.answered(session, 7, false, kBegin);
  EXPECT_EQ(table.find(session, kBegin), 0u);
}

}  // namespace
}  // namespace leat::gateway
