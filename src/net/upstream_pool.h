// SPDX-License-Identifier: Apache-2.0
// UpstreamPool: the connections of one shard to one provider. Idle ones are kept warm, a receive
// armed on each so that its end is seen before it is used; the last used goes first, so that the
// spare ones age out. Requests never queue behind each other's replies: who finds no idle
// connection waits for a new one, or for the first that comes free.
#pragma once

#include <memory>

#include "base/pool.h"
#include "net/connector.h"
#include "net/upstream_conn.h"

namespace leat::net {

struct PoolTag {};

// A request for a connection; a member of whoever wants one. Unlinking it withdraws the request.
class PoolWaiter : public ListNode<PoolTag> {
 public:
  // The connection is to be used at once: begin() it, or cancel() it. Never from inside acquire().
  virtual void on_upstream(Result<UpstreamConn*> conn) = 0;

 protected:
  ~PoolWaiter() = default;

 private:
  friend class UpstreamPool;
  bool wants_fresh_ = false;
};

struct PoolLimits {
  std::uint32_t connections_max = 16'384;
  std::uint32_t idle_max = 1'024;
  std::uint32_t warm = 0;  // opened before anyone asks
  Duration idle_time = seconds(30);
  std::uint32_t head_bytes_max = 64 * 1024;  // of a reply; at most proto::kHeadBytesMax
  std::uint32_t informational_max = 8;       // 1xx heads before the final one
};

struct PoolStats {
  std::uint64_t dialed = 0;
  std::uint64_t dial_failures = 0;
  std::uint64_t reused = 0;
  std::uint64_t stray_bytes = 0;  // connections dropped for bytes that nobody asked for
};

class UpstreamPool final : private DialSink, private shard::Deferred {
 public:
  UpstreamPool(shard::Shard& shard, Dialer& dialer, const PoolLimits& limits);
  // REQUIRES: no exchange under way, no waiter linked.
  ~UpstreamPool();

  // An idle connection, or null: then `waiter` is linked and hears later, unless the pool is at
  // connections_max (the error says so). `fresh`: never one that was used before.
  Result<UpstreamConn*> acquire(PoolWaiter& waiter, bool fresh);
  // Opens connections_warm ones, now and whenever there are fewer.
  void keep_warm();
  // Drops the idle ones and keeps none any more.
  void drain();

  std::size_t open_count() const { return conns_.live() + dialing_; }
  std::size_t idle_count() const { return idle_count_; }
  PoolStats& stats() { return stats_; }
  const PoolStats& stats() const { return stats_; }
  const PoolLimits& limits() const { return limits_; }

 private:
  friend class UpstreamConn;

  void on_dialed(Dial& dial, Result<Stream*> stream) override;
  void run_deferred() override;
  void dial();
  void put_back(UpstreamConn& conn);
  void drop(UpstreamConn& conn);
  void hand_over(UpstreamConn& conn);
  PoolWaiter* take_waiter(bool used);
  void keep_idle(UpstreamConn& conn);
  proto::ResponseHead& head_scratch() { return head_scratch_; }
  void on_warm_timer();

  shard::Shard& shard_;
  Dialer& dialer_;
  PoolLimits limits_;
  Pool<UpstreamConn> conns_;
  IntrusiveList<UpstreamConn, UpstreamConn> idle_;  // front: the last used
  IntrusiveList<UpstreamConn, UpstreamConn> dead_;  // freed when the turn's callbacks are over
  IntrusiveList<PoolWaiter, PoolTag> waiters_;
  std::vector<std::unique_ptr<Dial>> dials_;
  std::vector<std::unique_ptr<Dial>> dials_done_;
  std::size_t dialing_ = 0;
  std::size_t idle_count_ = 0;
  PoolStats stats_;
  proto::ResponseHead head_scratch_;  // one parse at a time
  Timer warm_timer_{timer_callback<&UpstreamPool::on_warm_timer>, this};
};

}  // namespace leat::net
