// SPDX-License-Identifier: Apache-2.0
#include "net/upstream_pool.h"

#include <algorithm>

namespace leat::net {

namespace {

constexpr Duration kWarmRetry = seconds(1);

}  // namespace

UpstreamPool::UpstreamPool(shard::Shard& shard, Dialer& dialer, const PoolLimits& limits)
    : shard_(shard), dialer_(dialer), limits_(limits) {}

UpstreamPool::~UpstreamPool() {
  LEAT_CHECK(waiters_.empty());
  limits_.warm = 0;
  dials_.clear();
  while (!idle_.empty()) drop(idle_.front());
  Deferred::unlink();
  run_deferred();
}

Result<UpstreamConn*> UpstreamPool::acquire(PoolWaiter& waiter, bool fresh) {
  if (!fresh && !idle_.empty()) {
    UpstreamConn& conn = *idle_.pop_front();
    --idle_count_;
    shard_.wheel().cancel(conn.idle_timer_);
    ++stats_.reused;
    return &conn;
  }
  if (open_count() >= limits_.connections_max) {
    return fail({Code::kOverloaded, Source::kInternal, Retry::kOtherUpstream, 0,
                 "all connections to the provider are in use"});
  }
  waiter.wants_fresh_ = fresh;
  waiters_.push_back(waiter);
  dial();
  return nullptr;
}

void UpstreamPool::dial() {
  ++dialing_;
  ++stats_.dialed;
  dials_.push_back(dialer_.new_dial());
  dials_.back()->start(*this);
}

void UpstreamPool::on_dialed(Dial& dial, Result<Stream*> stream) {
  --dialing_;
  auto place = std::find_if(dials_.begin(), dials_.end(),
                            [&](const auto& each) { return each.get() == &dial; });
  LEAT_CHECK(place != dials_.end());
  dials_done_.push_back(std::move(*place));
  *place = std::move(dials_.back());
  dials_.pop_back();
  shard_.defer(*this);
  if (!stream) {
    ++stats_.dial_failures;
    if (PoolWaiter* waiter = waiters_.pop_front()) waiter->on_upstream(fail(stream.error()));
    if (limits_.warm > 0) shard_.wheel().set(warm_timer_, shard_.now() + kWarmRetry);
    return;
  }
  UpstreamConn* conn = conns_.create(*this, **stream);
  (*stream)->set_user(*conn);
  hand_over(*conn);
}

// To who waits longest, or to the idle ones.
void UpstreamPool::hand_over(UpstreamConn& conn) {
  if (PoolWaiter* waiter = take_waiter(conn.exchanges_ > 0)) {
    waiter->on_upstream(&conn);
    return;
  }
  keep_idle(conn);
}

// Who waits longest for such a connection, or null. Whoever is passed over has a dial of their own
// under way.
PoolWaiter* UpstreamPool::take_waiter(bool used) {
  PoolWaiter* waiter = waiters_.first();
  while (used && waiter != nullptr && waiter->wants_fresh_) waiter = waiters_.after(*waiter);
  if (waiter != nullptr) waiter->unlink();
  return waiter;
}

void UpstreamPool::keep_idle(UpstreamConn& conn) {
  if (idle_count_ >= limits_.idle_max) return drop(conn);
  idle_.push_front(conn);
  ++idle_count_;
  shard_.wheel().set(conn.idle_timer_, shard_.now() + limits_.idle_time);
}

void UpstreamPool::put_back(UpstreamConn& conn) {
  hand_over(conn);
}

void UpstreamPool::drop(UpstreamConn& conn) {
  if (conn.state_ == UpstreamConn::State::kDead) return;
  if (conn.is_linked()) {
    conn.unlink();
    --idle_count_;
  }
  shard_.wheel().cancel(conn.idle_timer_);
  conn.state_ = UpstreamConn::State::kDead;
  conn.stream_->abort();
  dead_.push_back(conn);
  shard_.defer(*this);
}

void UpstreamPool::run_deferred() {
  dials_done_.clear();
  while (UpstreamConn* conn = dead_.pop_front()) conns_.destroy(conn);
  keep_warm();
}

void UpstreamPool::keep_warm() {
  if (warm_timer_.is_set()) return;
  while (idle_count_ + dialing_ < limits_.warm && open_count() < limits_.connections_max) dial();
}

void UpstreamPool::on_warm_timer() {
  keep_warm();
}

void UpstreamPool::drain() {
  limits_.warm = 0;
  limits_.idle_max = 0;
  while (!idle_.empty()) drop(idle_.front());
}

}  // namespace leat::net
