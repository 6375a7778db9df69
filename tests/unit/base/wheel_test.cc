// SPDX-License-Identifier: Apache-2.0
// Goal: no timer is lost, fires early, or fires more than a tick late, whatever the order of set,
// move and cancel. Method: small cases by hand, and a long random run against a sorted reference.
#include "base/wheel.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/rng.h"

namespace leat {
namespace {

struct Owner {
  Timer timer{timer_callback<&Owner::on_timer>, this};
  int fired = 0;
  void on_timer() { ++fired; }
};

Instant at_ms(std::int64_t ms) {
  return Instant{ms * 1'000'000};
}

TEST(Wheel, FiresAtTheDeadlineNotBefore) {
  Wheel wheel(at_ms(1000));
  Owner owner;
  wheel.set(owner.timer, Instant{1'010'500'000});
  wheel.advance(at_ms(1010));
  EXPECT_EQ(owner.fired, 0);
  wheel.advance(at_ms(1011));
  EXPECT_EQ(owner.fired, 1);
  wheel.advance(at_ms(5000));
  EXPECT_EQ(owner.fired, 1);
}

TEST(Wheel, MovesLaterLazilyAndEarlierAtOnce) {
  Wheel wheel(at_ms(0));
  Owner owner;
  wheel.set(owner.timer, at_ms(100));
  wheel.set(owner.timer, at_ms(300));
  wheel.advance(at_ms(299));
  EXPECT_EQ(owner.fired, 0);
  wheel.set(owner.timer, at_ms(310));
  wheel.set(owner.timer, at_ms(305));
  wheel.advance(at_ms(306));
  EXPECT_EQ(owner.fired, 1);
}

TEST(Wheel, CancelAndDestroyTakeItOut) {
  Wheel wheel(at_ms(0));
  Owner kept;
  auto gone = std::make_unique<Owner>();
  wheel.set(kept.timer, at_ms(50));
  wheel.set(gone->timer, at_ms(50));
  wheel.cancel(kept.timer);
  gone.reset();
  wheel.advance(at_ms(100));
  EXPECT_EQ(kept.fired, 0);
  EXPECT_FALSE(kept.timer.is_set());
}

TEST(Wheel, NextExpiryIsNeverAfterTheFirstDeadline) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    const auto start = Instant{rng.between(0, 1'000'000'000'000)};
    Wheel wheel(start);
    Owner owner;
    const Instant deadline = start + Duration{rng.between(1'000'000, 40'000'000'000'000)};
    wheel.set(owner.timer, deadline);
    int hops = 0;
    while (owner.fired == 0) {
      const Instant next = wheel.next_expiry();
      ASSERT_LE(next.ns, deadline.ns + 1'000'000) << "seed 7 round " << round;
      ASSERT_LT(++hops, 300);
      wheel.advance(next);
      if (owner.fired != 0) {
        ASSERT_GE(next.ns, deadline.ns);
      }
    }
    EXPECT_EQ(wheel.next_expiry(), kNever);
  }
}

TEST(Wheel, RandomRunAgreesWithAReference) {
  Rng rng(42);
  Instant now = at_ms(12345);
  Wheel wheel(now);
  std::vector<std::unique_ptr<Owner>> owners;
  std::vector<Instant> expected(200, kNever);
  for (int i = 0; i < 200; ++i) owners.push_back(std::make_unique<Owner>());
  for (int step = 0; step < 50000; ++step) {
    const auto i = rng.below(200);
    const auto action = rng.below(10);
    if (action < 5) {
      const std::int64_t reach = rng.chance(0.1) ? 200'000'000'000 : 900'000'000;
      expected[i] = now + Duration{rng.between(0, reach)};
      wheel.set(owners[i]->timer, expected[i]);
    } else if (action < 6) {
      expected[i] = kNever;
      wheel.cancel(owners[i]->timer);
    } else {
      now = now + Duration{rng.between(0, rng.chance(0.05) ? 3'000'000'000 : 5'000'000)};
      wheel.advance(now);
      for (int k = 0; k < 200; ++k) {
        const bool must = expected[k] != kNever && expected[k].ns + 1'000'000 <= now.ns;
        const bool may = expected[k] != kNever && expected[k] <= now;
        if (owners[k]->fired != 0) {
          ASSERT_TRUE(may) << "fired early or unset, step " << step;
          owners[k]->fired = 0;
          expected[k] = kNever;
        } else {
          ASSERT_FALSE(must) << "missed, step " << step;
        }
      }
    }
  }
}

}  // namespace
}  // namespace leat
