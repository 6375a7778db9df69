// SPDX-License-Identifier: Apache-2.0
// Goal: batches are waited for under load and never without; the wait itself does not change the
// answer. Method: rates of completions through turns of various sizes.
#include "shard/load_meter.h"

#include <gtest/gtest.h>

namespace leat::shard {
namespace {

constexpr Instant kBegin{1'000'000'000};

// `rate` completions a second for `time`, `batch` in each turn; the end of it.
Instant run(LoadMeter& meter, Instant now, int rate, Duration time, int batch) {
  const Instant end = now + time;
  const Duration step{1'000'000'000LL * batch / rate};
  while (now < end) {
    now = now + step;
    meter.count(now, static_cast<std::uint64_t>(batch));
  }
  return now;
}

TEST(LoadMeter, IsCalmAtFirstAndAtTwoThousandRequestsASecond) {
  LoadMeter meter(kBegin);
  EXPECT_FALSE(meter.is_busy());
  // Six completions each: the load at which added latency is measured.
  run(meter, kBegin, 12'000, seconds(1), 1);
  EXPECT_FALSE(meter.is_busy());
}

TEST(LoadMeter, SeesLoadWhateverTheBatches) {
  for (const int batch : {1, 4, 16, 64}) {
    LoadMeter meter(kBegin);
    run(meter, kBegin, 40'000, milliseconds(40), batch);
    EXPECT_TRUE(meter.is_busy()) << batch;
  }
}

TEST(LoadMeter, IsCalmSoonAfterTheLoad) {
  LoadMeter meter(kBegin);
  const Instant busy = run(meter, kBegin, 40'000, milliseconds(40), 16);
  ASSERT_TRUE(meter.is_busy());
  meter.count(busy + milliseconds(50), 1);
  EXPECT_FALSE(meter.is_busy());
}

TEST(LoadMeter, DoesNotFlickerBetweenItsRates) {
  LoadMeter meter(kBegin);
  const Instant calm = run(meter, kBegin, 28'000, milliseconds(100), 4);
  EXPECT_FALSE(meter.is_busy());
  const Instant busy = run(meter, calm, 40'000, milliseconds(100), 4);
  ASSERT_TRUE(meter.is_busy());
  run(meter, busy, 28'000, milliseconds(100), 4);
  EXPECT_TRUE(meter.is_busy());
}

}  // namespace
}  // namespace leat::shard
