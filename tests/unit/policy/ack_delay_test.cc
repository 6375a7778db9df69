// SPDX-License-Identifier: Apache-2.0
// Goal: a provider that waits for acknowledgements has four late events an hour and no more; one
// that does not is found by its first stream, and every stream of it delays from then on. Method:
// streams of which the kernel is said to delay still, or not.
#include "policy/ack_delay.h"

#include <gtest/gtest.h>

#include <vector>

namespace leat::policy {
namespace {

using Mode = AckWatch::Mode;

// A stream told of `count` receives of `size` bytes each.
class Stream {
 public:
  explicit Stream(AckDelay& provider, Mode mode = Mode::kAuto) : provider_(provider), mode_(mode) {}

  // `is_delaying`: what the kernel says whenever it is asked.
  void receive(int count, bool is_delaying, Instant now, std::uint64_t size = 250) {
    for (int i = 0; i < count; ++i) {
      bytes_ += size;
      AckStep step = watch_.on_receive(provider_, mode_, bytes_, now);
      if (step == AckStep::kLook) {
        ++looks;
        step = watch_.looked(provider_, mode_, is_delaying, now);
      }
      if (step == AckStep::kDelay) ++told;
    }
  }
  bool is_kept() const { return watch_.is_kept(); }

  int told = 0;
  int looks = 0;

 private:
  AckDelay& provider_;
  Mode mode_;
  AckWatch watch_;
  std::uint64_t bytes_ = 0;
};

constexpr Instant kBegin = Instant{} + seconds(100);

TEST(AckDelay, OneStreamThatStillDelaysIsTheProof) {
  AckDelay provider;
  Stream stream(provider);
  stream.receive(3, true, kBegin);
  EXPECT_FALSE(provider.is_proven()) << "the first may have been acknowledged before";
  stream.receive(1, true, kBegin);
  EXPECT_TRUE(provider.is_proven());
  EXPECT_TRUE(stream.is_kept());
  stream.receive(320, true, kBegin);
  EXPECT_EQ(stream.told, 1);
  EXPECT_EQ(stream.looks, 11) << "asking is rare";
}

TEST(AckDelay, AProviderThatWaitsIsTriedFourTimesAnHour) {
  AckDelay provider;
  int told = 0;
  for (int hour = 0; hour < 3; ++hour) {
    const Instant now = kBegin + seconds(3'600 * hour);
    for (int i = 0; i < 100; ++i) {
      Stream stream(provider);
      stream.receive(100, false, now + seconds(i));
      told += stream.told;
    }
  }
  EXPECT_EQ(told, 12);
  EXPECT_EQ(provider.rests(), 3u);
  EXPECT_FALSE(provider.is_proven());
}

TEST(AckDelay, NoMoreThanFourFindOutAtATime) {
  AckDelay provider;
  std::vector<Stream> streams(50, Stream(provider));
  int told = 0;
  for (Stream& each : streams) {
    each.receive(1, false, kBegin);
    told += each.told;
  }
  EXPECT_EQ(told, 4);
}

TEST(AckDelay, StreamsThatEndBeforeTheyKnowAreNotAwaitedForEver) {
  AckDelay provider;
  for (int i = 0; i < 4; ++i) Stream(provider).receive(2, false, kBegin);
  Stream early(provider);
  early.receive(4, true, kBegin + seconds(9));
  EXPECT_EQ(early.told, 0);
  Stream late(provider);
  late.receive(4, true, kBegin + seconds(10));
  EXPECT_EQ(late.told, 1);
  EXPECT_TRUE(provider.is_proven());
}

TEST(AckDelay, LargeEventsProveNothing) {
  AckDelay provider;
  Stream stream(provider);
  stream.receive(4, true, kBegin, 1'400);
  EXPECT_FALSE(provider.is_proven());
}

TEST(AckDelay, AProvenOneMayLeaveOffNowAndThen) {
  AckDelay provider;
  Stream(provider).receive(4, true, kBegin);
  for (int i = 0; i < 1'000; ++i) {
    Stream slow(provider);
    slow.receive(4, i % 20 == 0, kBegin);
    ASSERT_EQ(slow.told, 1) << i;
  }
  EXPECT_EQ(provider.rests(), 0u);
}

TEST(AckDelay, AProvenOneThatDoesSoAlwaysHasItsRest) {
  AckDelay provider;
  Stream(provider).receive(4, true, kBegin);
  int told = 0;
  for (int i = 0; i < 1'000; ++i) {
    Stream slow(provider);
    slow.receive(4, false, kBegin);
    told += slow.told;
  }
  EXPECT_EQ(told, 32);
  EXPECT_EQ(provider.rests(), 1u);
}

TEST(AckDelay, AStreamThatLeftOffIsToldAgain) {
  AckDelay provider;
  Stream stream(provider);
  stream.receive(4, true, kBegin);
  stream.receive(32, false, kBegin);
  EXPECT_EQ(stream.told, 2);
  stream.receive(3, true, kBegin);
  EXPECT_TRUE(stream.is_kept());
}

TEST(AckDelay, WhereItIsOnNobodyIsAsked) {
  AckDelay provider;
  for (int i = 0; i < 100; ++i) {
    Stream stream(provider, Mode::kAlways);
    stream.receive(100, false, kBegin);
    EXPECT_EQ(stream.told, 3) << "once in a while";
  }
  EXPECT_EQ(provider.rests(), 0u);
}

}  // namespace
}  // namespace leat::policy
