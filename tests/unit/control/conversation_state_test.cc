// SPDX-License-Identifier: Apache-2.0
// Goal: who comes after knows which endpoint has which conversation, for as long as it would have
// been known here; and what is damaged, cut or another's is never used. Method: round trips with
// chosen clocks; every truncation and every turned bit; the golden bytes of one.
#include "control/conversation_state.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "ledger/crc32c.h"

namespace leat::control {
namespace {

using policy::HeldConversation;

constexpr Instant kThen{7'200'000'000'000};
constexpr Instant kNow{5'000'000'000};  // of another boot: its clock begins anew
constexpr WallTime kWall{1'700'000'000'000'000'000};

WallTime later(std::int64_t after_s) {
  return {kWall.unix_ns + after_s * 1'000'000'000};
}

std::vector<HeldConversation> some(std::size_t count) {
  std::vector<HeldConversation> all;
  Rng rng(7);
  for (std::size_t i = 0; i < count; ++i) {
    const auto age = static_cast<std::int64_t>(i % 500);
    all.push_back({{rng.next(), rng.next()}, rng.next() | 1, kThen - seconds(age)});
  }
  return all;
}

// With a checksum that is right.
std::string sealed(std::string body) {
  const std::uint32_t crc = ledger::crc32c(0, body);
  body.append(reinterpret_cast<const char*>(&crc), sizeof crc);
  return body;
}
std::string body_of(const std::string& bytes) {
  return bytes.substr(0, bytes.size() - 4);
}

TEST(ConversationState, ComesBackWithWhatIsLeftOfItsLife) {
  const auto all = some(100);
  const auto read = read_conversations(write_conversations(all, kThen, kWall), kNow, later(30));
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ((*read)[i].key, all[i].key);
    EXPECT_EQ((*read)[i].identity, all[i].identity);
    EXPECT_EQ(kNow - (*read)[i].used, kThen - all[i].used + seconds(30));
  }
}

TEST(ConversationState, WhatHasEndedMeanwhileIsLeftOut) {
  const auto all = some(500);
  const std::string bytes = write_conversations(all, kThen, kWall);
  for (const std::int64_t after : {101, 400, 599, 600, 601, 1'000'000'000}) {
    const auto read = read_conversations(bytes, kNow, later(after));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->size(), static_cast<std::size_t>(std::clamp<std::int64_t>(600 - after, 0, 500)))
        << after;
  }
}

TEST(ConversationState, AClockThatWentBackAgesNothing) {
  const std::string bytes = write_conversations(some(1), kThen, kWall);
  const auto read = read_conversations(bytes, kNow, later(-1'000'000));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->front().used, kNow);
}

TEST(ConversationState, NoneIsAStateToo) {
  const auto read = read_conversations(write_conversations({}, kThen, kWall), kNow, kWall);
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(read->empty());
}

TEST(ConversationState, ATruncationIsNotUsed) {
  const std::string bytes = write_conversations(some(5), kThen, kWall);
  EXPECT_EQ(bytes.size(), 28 + 5 * kConversationBytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read_conversations(bytes.substr(0, size), kNow, kWall).has_value()) << size;
  }
  EXPECT_FALSE(read_conversations(bytes + '\0', kNow, kWall).has_value());
}

TEST(ConversationState, ATurnedBitIsNotUsed) {
  const std::string bytes = write_conversations(some(5), kThen, kWall);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string turned = bytes;
    turned[bit / 8] = static_cast<char>(turned[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(read_conversations(turned, kNow, kWall).has_value()) << bit;
  }
}

TEST(ConversationState, WhatIsSealedButWrongIsNotUsed) {
  const std::string body = body_of(write_conversations(some(5), kThen, kWall));
  ASSERT_TRUE(read_conversations(sealed(body), kNow, kWall).has_value());
  const auto with = [&](std::size_t at, std::string_view bytes) {
    return sealed(std::string(body).replace(at, bytes.size(), bytes));
  };
  const std::string_view zeros("\0\0\0\0\0\0\0\0", 8);
  for (const std::string& wrong : {
           with(0, "leat-hlt"),                      // of another kind
           with(8, {"\2\0\0\0", 4}),                 // of another version
           with(12, {"\6\0\0\0", 4}),                // more than there are
           with(12, {"\4\0\0\0", 4}),                // fewer
           with(12, {"\xff\xff\xff\xff", 4}),        // more than any
           with(24 + 16, zeros),                     // of no endpoint
           sealed(body.substr(0, body.size() - 1)),  // cut
           sealed(body + std::string(kConversationBytes, '\1')),
       }) {
    EXPECT_FALSE(read_conversations(wrong, kNow, kWall).has_value());
  }
  // Ages and times that nobody writes make nothing of it worse than useless.
  const auto aged = read_conversations(with(24 + 24, {"\xff\xff\xff\xff", 4}), kNow, kWall);
  ASSERT_TRUE(aged.has_value());
  EXPECT_EQ(aged->size(), 4u);
  const std::string_view least("\0\0\0\0\0\0\0\x80", 8);
  const std::string_view most("\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
  for (const std::string_view time : {zeros, least, most}) {
    for (const WallTime now : {WallTime{0}, kWall, WallTime{INT64_MAX}}) {
      EXPECT_TRUE(read_conversations(with(16, time), kNow, now).has_value());
    }
  }
}

TEST(ConversationState, AsManyAsAreKept) {
  const auto all = some(kKeptConversationsMax);
  const std::string bytes = write_conversations(all, kThen, kWall);
  EXPECT_EQ(bytes.size(), kConversationStateBytesMax);
  const auto read = read_conversations(bytes, kNow, kWall);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->size(), all.size());
  // One more, whole and sealed.
  std::string body = body_of(bytes) + body_of(bytes).substr(24, kConversationBytes);
  const std::uint32_t count = kKeptConversationsMax + 1;
  body.replace(12, 4, reinterpret_cast<const char*>(&count), 4);
  EXPECT_FALSE(read_conversations(sealed(body), kNow, kWall).has_value());
}

// The form itself: a process of another version reads it.
TEST(ConversationState, ItsBytes) {
  const std::vector<HeldConversation> one{{{0x0102, 0x0304}, 0x0506, kThen - milliseconds(0x0708)}};
  const std::string bytes = write_conversations(one, kThen, WallTime{0x090a});
  const std::string_view expected(
      "leat-cnv\x01\0\0\0\x01\0\0\0\x0a\x09\0\0\0\0\0\0"
      "\x02\x01\0\0\0\0\0\0\x04\x03\0\0\0\0\0\0\x06\x05\0\0\0\0\0\0\x08\x07\0\0",
      52);
  EXPECT_EQ(body_of(bytes), expected);
}

}  // namespace
}  // namespace leat::control
