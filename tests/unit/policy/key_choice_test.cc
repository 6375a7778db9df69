// SPDX-License-Identifier: Apache-2.0
// Goal: a request goes to a key that may be used, rather to one with room, little in flight and
// quick answers, and a key that fails fast draws nothing. Method: pairs that differ in one thing,
// where the choice is certain; shares over many draws.
#include "policy/key_choice.h"

#include <gtest/gtest.h>

#include <array>

namespace leat::policy {
namespace {

constexpr Instant kNow{1'000'000'000'000};

RateNotice left(std::uint64_t remaining, std::uint64_t limit) {
  RateNotice notice;
  notice.of(RateQuantity::kRequests) = {limit, remaining, seconds(60)};
  return notice;
}

// Of two keys both are drawn, so that the score alone decides.
std::size_t better(std::span<const KeyHealth> keys, Instant now = kNow) {
  Rng rng(1);
  return *choose_key(keys, 0, now, rng);
}

TEST(KeyChoice, TheOneWithLessInFlight) {
  std::array<KeyHealth, 2> keys;
  keys[0].began();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(better(keys), 1u);
  keys[0].ended();
  keys[1].began();
  EXPECT_EQ(better(keys), 0u);
}

TEST(KeyChoice, TheOneWithMoreRoom) {
  std::array<KeyHealth, 2> keys;
  keys[0].rate().note_reply(200, left(10, 100), kNow);
  keys[1].rate().note_reply(200, left(90, 100), kNow);
  EXPECT_EQ(better(keys), 1u);
  // Room counts as a divisor: nine times the room bears eight times the load.
  for (int i = 0; i < 7; ++i) keys[1].began();
  EXPECT_EQ(better(keys), 1u);
  keys[1].began();
  keys[1].began();
  EXPECT_EQ(better(keys), 0u);
}

TEST(KeyChoice, TheQuickerOneAndARiseCountsAtOnce) {
  std::array<KeyHealth, 2> keys;
  keys[0].first_token_came(milliseconds(400), kNow);
  keys[1].first_token_came(milliseconds(800), kNow);
  EXPECT_EQ(better(keys), 0u);
  keys[0].first_token_came(seconds(4), kNow);
  keys[0].first_token_came(milliseconds(400), kNow);
  EXPECT_EQ(better(keys), 1u);
  // A minute later the one slow answer is forgotten.
  keys[0].first_token_came(milliseconds(400), kNow + seconds(60));
  EXPECT_EQ(better(keys, kNow + seconds(60)), 0u);
}

TEST(KeyChoice, AFastFailureAttractsNothing) {
  std::array<KeyHealth, 2> keys;
  keys[0].first_token_came(milliseconds(100), kNow);
  keys[1].first_token_came(seconds(2), kNow);
  EXPECT_EQ(better(keys), 0u);
  keys[0].failed({0}, kNow);
  EXPECT_EQ(better(keys), 1u);
  EXPECT_EQ(better(keys, kNow + seconds(60)), 0u);
}

TEST(KeyChoice, ALongerStatedWaitIsALongerPenalty) {
  std::array<KeyHealth, 2> keys;
  keys[0].failed(seconds(60), kNow);
  keys[1].failed(seconds(5), kNow);
  EXPECT_EQ(better(keys), 1u);
}

TEST(KeyChoice, NeverATriedALimitedOrARestingOne) {
  std::array<KeyHealth, 4> keys;
  RateNotice notice;
  notice.retry_after = seconds(7);
  keys[1].rate().note_reply(429, notice, kNow);
  keys[2].rest(kNow + kKeyRest);
  Rng rng(3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(choose_key(keys, 0b0001, kNow, rng), 3u);
  EXPECT_FALSE(choose_key(keys, 0b1001, kNow, rng));
  EXPECT_EQ(choose_key(keys, 0b1001, kNow + seconds(7), rng), 1u);
  EXPECT_EQ(choose_key(keys, 0b1011, kNow + kKeyRest, rng), 2u);
}

TEST(KeyChoice, AnEndpointIsBackWithTheFirstOfItsKeys) {
  std::array<KeyHealth, 2> keys;
  keys[0].rest(kNow + seconds(600));
  EXPECT_EQ(keys_usable_from(keys), Instant{0});
  keys[1].rest(kNow + seconds(30));
  EXPECT_EQ(keys_usable_from(keys), kNow + seconds(30));
  keys[1].rest(kNow + seconds(10));  // never earlier than before
  EXPECT_EQ(keys_usable_from(keys), kNow + seconds(30));
}

TEST(KeyChoice, EqualKeysShareEvenlyAndTheWorstOfThreeGetsNone) {
  std::array<KeyHealth, 3> keys;
  Rng rng(7);
  std::array<int, 3> drawn{};
  for (int i = 0; i < 30'000; ++i) ++drawn[*choose_key(keys, 0, kNow, rng)];
  for (const int n : drawn) EXPECT_NEAR(n, 10'000, 400);
  keys[2].failed({0}, kNow);
  drawn = {};
  for (int i = 0; i < 30'000; ++i) ++drawn[*choose_key(keys, 0, kNow, rng)];
  EXPECT_EQ(drawn[2], 0);
  EXPECT_NEAR(drawn[0], 15'000, 500);
}

}  // namespace
}  // namespace leat::policy
