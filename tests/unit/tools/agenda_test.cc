// SPDX-License-Identifier: Apache-2.0
// Goal: the mock's pace and the load's open loop are exact: every alarm rings once, at its time, in
// order, and none that was cancelled does. Method: cases by hand, and a long random run of set,
// move, cancel and run against a plain list.
#include "wire/agenda.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/rng.h"

namespace leat::tools {
namespace {

struct Ringer {
  Ringer(std::vector<int>& rung, int id) : log(rung), number(id) {}
  std::vector<int>& log;
  int number;
  Alarm alarm{alarm_callback<&Ringer::on_alarm>, this};
  void on_alarm() { log.push_back(number); }
};

TEST(Agenda, RingsInOrderOfTimeAndNotBefore) {
  std::vector<int> log;
  Agenda agenda;
  Ringer a(log, 1);
  Ringer b(log, 2);
  Ringer c(log, 3);
  agenda.set(a.alarm, Instant{30});
  agenda.set(b.alarm, Instant{10});
  agenda.set(c.alarm, Instant{20});
  EXPECT_EQ(agenda.next(), Instant{10});
  agenda.run(Instant{9});
  EXPECT_TRUE(log.empty());
  agenda.run(Instant{20});
  EXPECT_EQ(log, (std::vector<int>{2, 3}));
  EXPECT_EQ(agenda.next(), Instant{30});
}

TEST(Agenda, ForgetsDestroyedAlarms) {
  std::vector<int> log;
  Agenda agenda;
  {
    Ringer gone(log, 1);
    agenda.set(gone.alarm, Instant{1});
  }
  EXPECT_EQ(agenda.next(), kNever);
  agenda.run(Instant{2});
  EXPECT_TRUE(log.empty());
}

struct Canceller {
  Agenda& agenda;
  Alarm& victim;
  Alarm alarm{alarm_callback<&Canceller::on_alarm>, this};
  void on_alarm() { agenda.cancel(victim); }
};

TEST(Agenda, AnAlarmMayCancelOneThatIsDueWithIt) {
  std::vector<int> log;
  Agenda agenda;
  Ringer victim(log, 1);
  Canceller canceller{agenda, victim.alarm};
  agenda.set(canceller.alarm, Instant{1});
  agenda.set(victim.alarm, Instant{2});
  agenda.run(Instant{3});
  EXPECT_TRUE(log.empty());
  EXPECT_FALSE(victim.alarm.is_set());
}

struct Repeater {
  Agenda& agenda;
  int times = 0;
  Alarm alarm{alarm_callback<&Repeater::on_alarm>, this};
  void on_alarm() {
    ++times;
    agenda.set(alarm, Instant{0});
  }
};

TEST(Agenda, OneThatSetsItselfForThePastRingsOnceARun) {
  Agenda agenda;
  Repeater repeater{agenda};
  agenda.set(repeater.alarm, Instant{0});
  agenda.run(Instant{5});
  agenda.run(Instant{5});
  EXPECT_EQ(repeater.times, 2);
}

TEST(Agenda, AgreesWithAPlainListOverALongRandomRun) {
  constexpr int kAlarms = 200;
  Rng rng(7);
  std::vector<int> log;
  Agenda agenda;
  std::vector<std::unique_ptr<Ringer>> ringers;
  std::array<Instant, kAlarms> due;
  due.fill(kNever);
  for (int i = 0; i < kAlarms; ++i) ringers.push_back(std::make_unique<Ringer>(log, i));
  std::int64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t i = rng.below(kAlarms);
    if (rng.chance(0.8)) {
      due[i] = Instant{now + rng.between(1, 1000)};
      agenda.set(ringers[i]->alarm, due[i]);
    } else {
      due[i] = kNever;
      agenda.cancel(ringers[i]->alarm);
    }
    if (!rng.chance(0.1)) continue;
    now += rng.between(0, 100);
    std::vector<std::pair<Instant, int>> expected;
    for (int k = 0; k < kAlarms; ++k) {
      Instant& at = due[static_cast<std::size_t>(k)];
      if (at.ns > now) continue;
      expected.emplace_back(at, k);
      at = kNever;
    }
    log.clear();
    agenda.run(Instant{now});
    ASSERT_EQ(log.size(), expected.size());
    std::vector<int> rung = log;
    std::sort(rung.begin(), rung.end());
    for (std::size_t k = 0; k < rung.size(); ++k) ASSERT_EQ(rung[k], expected[k].second);
    ASSERT_EQ(agenda.next(), *std::min_element(due.begin(), due.end()));
  }
}

}  // namespace
}  // namespace leat::tools
