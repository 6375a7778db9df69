// SPDX-License-Identifier: Apache-2.0
#include "net/upstream_pool.h"

#include <algorithm>

#include "net/loose_stream.h"

namespace leat::net {

namespace {

constexpr Duration kWarmRetry = seconds(1);
// Of those that are opened since so many were used lately. A provider that cannot be reached is
// tried with one a second.
constexpr std::size_t kExpectedDialsMax = 8;
// How many may wait for one HTTP/2 connection that is being opened: what it takes before the
// provider has said how many.
constexpr std::size_t kWaitersPerDial = 100;
constexpr std::string_view kAlpnHttp2 = "h2";
constexpr Duration kNeededMemory = seconds(1);

}  // namespace

UpstreamPool::UpstreamPool(shard::Shard& shard, Dialer& dialer, const PoolLimits& limits)
    : shard_(shard),
      dialer_(dialer),
      limits_(limits),
      learned_(limits.protocol),
      // Less than an unused one is kept, which must not be opened again when it has aged out.
      peak_(nanoseconds(limits.idle_time.ns / 10 * 9), shard.now()),
      now_needed_(kNeededMemory, shard.now()) {}

UpstreamPool::~UpstreamPool() {
  LEAT_CHECK(waiters_.empty());
  limits_.warm = 0;
  limits_.idle_max = 0;
  dials_.clear();
  while (!idle_.empty()) drop(idle_.front());
  while (!lending_.empty()) drop(lending_.front());
  while (!http2_open_.empty()) drop_idle(http2_open_.front());
  Deferred::unlink();
  run_deferred();
  while (Http2Conn* conn = http2_dead_.pop_front()) http2_conns_.destroy(conn);
  Deferred::unlink();
}

Result<UpstreamCall*> UpstreamPool::acquire(PoolWaiter& waiter, bool fresh) {
  if (Http2Conn* conn = least_busy(fresh)) {
    if (conn->exchanges() > 0) ++stats_.reused;
    set_idle(*conn, false);
    Http2Call* call = conn->new_call();
    spread(*conn);
    return call;
  }
  if (!fresh && !idle_.empty()) {
    UpstreamConn& conn = *idle_.pop_front();
    --idle_count_;
    shard_.wheel().cancel(conn.idle_timer_);
    ++stats_.reused;
    set_in_use(conn, true);
    return &conn;
  }
  if (open_count() >= limits_.connections_max && !(shares_connections() && dialing_ > 0)) {
    return fail({Code::kOverloaded, Source::kInternal, Retry::kOtherUpstream, 0,
                 "all connections to the provider are in use"});
  }
  waiter.wants_fresh_ = fresh;
  waiters_.push_back(waiter);
  if (shares_connections()) {
    dial_for_waiters();
  } else if (!takes_expected_dial()) {
    dial();
    if (!fresh && !closes_connections_ && peers_ != nullptr) peers_->on_missed(*this);
  }
  return nullptr;
}

// Whether who has begun to wait needs no dial of their own, since one is under way for whoever
// comes.
bool UpstreamPool::takes_expected_dial() {
  if (expected_dialing_ == 0 || dials_wanted() > dialing_) return false;
  --expected_dialing_;
  return true;
}

void UpstreamPool::dial() {
  ++dialing_;
  ++stats_.dialed;
  dials_.push_back(dialer_.new_dial());
  dials_.back()->start(*this);
}

void UpstreamPool::on_dialed(Dial& dial, Result<Stream*> stream) {
  --dialing_;
  expected_dialing_ = std::min(expected_dialing_, dialing_);
  auto place = std::find_if(dials_.begin(), dials_.end(),
                            [&](const auto& each) { return each.get() == &dial; });
  LEAT_CHECK(place != dials_.end());
  dials_done_.push_back(std::move(*place));
  *place = std::move(dials_.back());
  dials_.pop_back();
  shard_.defer(*this);
  is_dialable_ = stream.has_value();
  if (!stream) return dial_failed(stream.error());
  take_over(**stream);
}

void UpstreamPool::dial_failed(const Error& why) {
  ++stats_.dial_failures;
  if (limits_.warm > 0 || expects_load()) wait_for_warm();
  if (!shares_connections()) {
    // One that nobody waited for may have failed: who waits has a dial under way.
    if (dials_wanted() <= dialing_) return;
    if (PoolWaiter* waiter = waiters_.pop_front()) waiter->on_upstream(fail(why));
    return;
  }
  // Those for whom the dials under way have no room; what they do next is none of this loop's.
  IntrusiveList<PoolWaiter, PoolTag> failed;
  while (dials_wanted() > dialing_) failed.push_back(*waiters_.pop_front());
  while (PoolWaiter* waiter = failed.pop_front()) waiter->on_upstream(fail(why));
}

// A connection of whichever protocol it turned out to speak.
void UpstreamPool::take_over(Stream& stream) {
  const bool is_told = stream.protocol() == kAlpnHttp2;
  const bool is_known = limits_.protocol == UpstreamProtocol::kHttp2 && limits_.scheme == "http";
  if (is_told || is_known) {
    learned_ = UpstreamProtocol::kHttp2;
    Http2Conn* conn = http2_conns_.create(*this, stream);
    stream.set_user(*conn);
    http2_open_.push_back(*conn);
    return on_room(*conn);
  }
  if (limits_.protocol == UpstreamProtocol::kHttp2) {
    stream.abort();
    return dial_failed({Code::kProtocol, Source::kUpstream, Retry::kOtherUpstream, 0,
                        "the provider does not speak HTTP/2"});
  }
  UpstreamConn* conn = conns_.create(*this, stream);
  stream.set_user(*conn);
  learned_ = UpstreamProtocol::kHttp1;
  hand_over(*conn);
  // Who waited in the hope of a stream needs a connection.
  if (limits_.protocol == UpstreamProtocol::kEither) dial_for_waiters();
}

// For those who wait: one each, or one for many.
std::size_t UpstreamPool::dials_wanted() {
  const std::size_t per_dial = shares_connections() ? kWaitersPerDial : 1;
  std::size_t fresh = 0;
  std::size_t others = 0;
  for (PoolWaiter* each = waiters_.first(); each != nullptr; each = waiters_.after(*each)) {
    ++(each->wants_fresh_ ? fresh : others);
  }
  return fresh + (others + per_dial - 1) / per_dial;
}

void UpstreamPool::dial_for_waiters() {
  std::size_t missing = dials_wanted();
  missing -= std::min(missing, dialing_);
  for (; missing > 0 && open_count() < limits_.connections_max; --missing) dial();
}

// To who waits longest, or to the idle ones.
void UpstreamPool::hand_over(UpstreamConn& conn) {
  if (PoolWaiter* waiter = take_waiter(conn.exchanges_ > 0)) {
    set_in_use(conn, true);
    waiter->on_upstream(static_cast<UpstreamCall*>(&conn));
    return;
  }
  set_in_use(conn, false);
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
  conn.was_idle_ = true;
  idle_.push_front(conn);
  ++idle_count_;
  shard_.wheel().set(conn.idle_timer_, shard_.now() + limits_.idle_time);
}

void UpstreamPool::set_in_use(UpstreamConn& conn, bool is_in_use) {
  if (conn.is_in_use_ == is_in_use) return;
  conn.is_in_use_ = is_in_use;
  in_use_ = is_in_use ? in_use_ + 1 : in_use_ - 1;
  peak_.note(in_use_, shard_.now());
  now_needed_.note(in_use_, shard_.now());
}

void UpstreamPool::put_back(UpstreamConn& conn) {
  hand_over(conn);
}

void UpstreamPool::drop(UpstreamConn& conn) {
  if (conn.state_ == UpstreamConn::State::kDead) return;
  if (conn.is_linked()) {
    conn.unlink();
    if (conn.state_ == UpstreamConn::State::kIdle) --idle_count_;
  }
  shard_.wheel().cancel(conn.idle_timer_);
  set_in_use(conn, false);
  // Whoever ends a connection that nobody has used may do the same to the next one.
  if (conn.exchanges_ == 0 && expects_load()) wait_for_warm();
  conn.state_ = UpstreamConn::State::kDead;
  conn.stream_->abort();
  dead_.push_back(conn);
  shard_.defer(*this);
}

void UpstreamPool::run_deferred() {
  dials_done_.clear();
  while (UpstreamConn* conn = dead_.pop_front()) conns_.destroy(conn);
  while (Http2Call* call = dead_calls_.pop_front()) calls_.destroy(call);
  for (Http2Conn* each = http2_dead_.first(); each != nullptr;) {
    Http2Conn& conn = *each;
    each = http2_dead_.after(conn);
    if (conn.session_.holds_written()) {
      shard_.defer(*this);  // its last bytes lie where it keeps them
      continue;
    }
    conn.ListNode<Http2Conn>::unlink();
    http2_conns_.destroy(&conn);
  }
  if (shares_connections() && !waiters_.empty()) dial_for_waiters();
  keep_warm();
}

void UpstreamPool::keep_warm() {
  if (warm_timer_.is_set()) return;
  if (limits_.warm == 0) return warm_for_load();
  std::size_t ready = idle_count_ + dialing_;
  for (Http2Conn* each = http2_open_.first(); each != nullptr; each = http2_open_.after(*each)) {
    if (!each->is_idle_ && each->has_room()) ++ready;
  }
  for (; ready < limits_.warm && open_count() < limits_.connections_max; ++ready) dial();
}

// Who serves over HTTP/2 has room for more on what is open.
bool UpstreamPool::expects_load() {
  return keeps_connections_ && limits_.warm == 0 && limits_.idle_max > 0 &&
         learned_ == UpstreamProtocol::kHttp1 && peak_.most(shard_.now()) > 0;
}

void UpstreamPool::wait_for_warm() {
  shard_.wheel().set(warm_timer_, shard_.now() + kWarmRetry);
}

void UpstreamPool::warm_for_load() {
  if (!expects_load()) return;
  const std::size_t wanted =
      std::min<std::size_t>(peak_.most(shard_.now()), in_use_ + std::size_t{limits_.idle_max});
  const std::size_t at_once = is_dialable_ ? kExpectedDialsMax : 1;
  while (dialing_ < at_once && in_use_ + idle_count_ + dialing_ < wanted &&
         open_count() < limits_.connections_max) {
    ++stats_.expected;
    ++expected_dialing_;
    dial();
  }
}

void UpstreamPool::on_warm_timer() {
  keep_warm();
}

void UpstreamPool::drain() {
  limits_.warm = 0;
  limits_.idle_max = 0;
  while (!idle_.empty()) drop(idle_.front());
  while (!lending_.empty()) drop(lending_.front());
  for (Http2Conn* each = http2_open_.first(); each != nullptr;) {
    Http2Conn& conn = *each;
    each = http2_open_.after(conn);
    if (conn.in_flight() == 0) drop_idle(conn);
  }
}

// ---- Lending -----------------------------------------------------------------------------------

bool UpstreamPool::lend(std::uint32_t to) {
  if (idle_.empty() || limits_.idle_max == 0) return false;
  const Instant now = shard_.now();
  if (limits_.warm > 0 && idle_count_ <= limits_.warm) return false;
  if (in_use_ + idle_count_ <= now_needed_.most(now)) return false;
  UpstreamConn& conn = idle_.back();
  if (conn.exchanges_ == 0 || !conn.stream_->lend()) return false;
  conn.unlink();
  --idle_count_;
  shard_.wheel().cancel(conn.idle_timer_);
  // It is not opened again here: who has it now is who needs it.
  peak_.forget_one(now);
  conn.state_ = UpstreamConn::State::kLending;
  conn.borrower_ = to;
  lending_.push_back(conn);
  return true;
}

void UpstreamPool::lending_over(UpstreamConn& conn, std::unique_ptr<LooseStream> stream) {
  if (conn.state_ != UpstreamConn::State::kLending) return;
  if (stream == nullptr) {
    // Never used again: what came ends it, or time.
    shard_.wheel().set(conn.idle_timer_, shard_.now() + kWarmRetry);
    return;
  }
  conn.unlink();
  conn.state_ = UpstreamConn::State::kDead;
  dead_.push_back(conn);
  shard_.defer(*this);
  if (peers_ != nullptr) peers_->on_lent(*this, conn.borrower_, std::move(stream));
}

void UpstreamPool::take_lent(Stream& stream) {
  UpstreamConn* conn = conns_.create(*this, stream);
  stream.set_user(*conn);
  ++stats_.borrowed;
  conn->exchanges_ = 1;  // or more, elsewhere
  conn->was_idle_ = true;
  if (open_count() > limits_.connections_max || limits_.protocol == UpstreamProtocol::kHttp2) {
    return drop(*conn);
  }
  const bool has_waiters = !waiters_.empty();
  hand_over(*conn);
  if (has_waiters) give_up_needless_dial();
}

// Of those for whom nobody waits any more, one that has not come far.
void UpstreamPool::give_up_needless_dial() {
  if (shares_connections() || dialing_ <= dials_wanted() + expected_dialing_) return;
  const auto place = std::ranges::find_if(
      dials_, [](const std::unique_ptr<Dial>& each) { return !each->has_connection(); });
  if (place == dials_.end()) return;
  dials_.erase(place);
  --dialing_;
}

// ---- HTTP/2 ------------------------------------------------------------------------------------

// Of the oldest few that have room, so that the spare ones age out. Null: none has. `fresh`: of
// those that nobody has used.
Http2Conn* UpstreamPool::least_busy(bool fresh) {
  Http2Conn* least = nullptr;
  std::uint32_t looked_at = 0;
  for (Http2Conn* each = http2_open_.first(); each != nullptr; each = http2_open_.after(*each)) {
    if (fresh && each->exchanges() > 0) continue;
    if (!each->has_room()) continue;
    if (least == nullptr || each->in_flight() < least->in_flight()) least = each;
    if (++looked_at == limits_.spread_max) break;
  }
  return least;
}

// `least` has the fewest: if those are not few, the next ones get another connection.
void UpstreamPool::spread(const Http2Conn& least) {
  if (least.in_flight() < limits_.streams_before_spread || dialing_ > 0) return;
  if (http2_conns_.live() < limits_.spread_max && open_count() < limits_.connections_max) dial();
}

Http2Call* UpstreamPool::make_call(Http2Conn& conn, bool is_reused) {
  return calls_.create(conn, is_reused);
}

void UpstreamPool::free_call(Http2Call& call) {
  dead_calls_.push_back(call);
  shard_.defer(*this);
}

// A call has ended, or the provider takes more, or fewer.
void UpstreamPool::on_room(Http2Conn& conn) {
  if (conn.is_giving_) return;  // whoever gives goes on, and sees the room
  conn.is_giving_ = true;
  while (!conn.is_dead() && conn.has_room()) {
    const bool is_used = conn.exchanges() > 0;
    PoolWaiter* waiter = take_waiter(is_used);
    if (waiter == nullptr) break;
    if (is_used) ++stats_.reused;
    set_idle(conn, false);
    waiter->on_upstream(static_cast<UpstreamCall*>(conn.new_call()));
  }
  conn.is_giving_ = false;
  // A busy one comes here again when it is done.
  if (conn.is_dead() || conn.in_flight() > 0 || conn.session_.is_busy()) return;
  if (!conn.session_.takes_streams()) return drop_idle(conn);
  if (!conn.is_idle_ && idle_count_ >= limits_.idle_max) return drop_idle(conn);
  set_idle(conn, true);
}

void UpstreamPool::set_idle(Http2Conn& conn, bool is_idle) {
  if (conn.is_idle_ == is_idle) return;
  conn.is_idle_ = is_idle;
  if (!is_idle) {
    --idle_count_;
    return;
  }
  ++idle_count_;
  if (!conn.is_asked_) shard_.wheel().set(conn.timer_, shard_.now() + limits_.idle_time);
}

void UpstreamPool::drop(Http2Conn& conn, bool in_order) {
  set_idle(conn, false);
  conn.ListNode<Http2Conn>::unlink();
  conn.die(in_order);
  http2_dead_.push_back(conn);
  shard_.defer(*this);
}

void UpstreamPool::drop_idle(Http2Conn& conn) {
  conn.say_goodbye();
  drop(conn, true);
}

}  // namespace leat::net
