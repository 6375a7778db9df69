// SPDX-License-Identifier: Apache-2.0
// UpstreamPool: the connections of one shard to one provider. Idle ones are kept warm, a receive
// armed on each so that its end is seen before it is used; the last used goes first, so that the
// spare ones age out. Requests never queue behind each other's replies: who finds no idle
// connection waits for a new one, or for the first that comes free. As many as were lately used at
// once are expected to be wanted again: where one of them ends before its time, the provider's or a
// client's doing, another is opened at once rather than when it is asked for.
//
// With HTTP/2 a connection serves many at once: who asks gets a stream of the one with the fewest,
// another is opened beside it when that is not few any more, and nobody waits unless all are full.
#pragma once

#include <memory>

#include "base/pool.h"
#include "net/connector.h"
#include "net/http2_conn.h"
#include "net/recent_peak.h"
#include "net/upstream_conn.h"

namespace leat::net {

struct PoolTag {};

// A request for a connection; a member of whoever wants one. Unlinking it withdraws the request.
class PoolWaiter : public ListNode<PoolTag> {
 public:
  // The call is to be used at once: begin() and send(), or cancel(). Never from inside acquire().
  virtual void on_upstream(Result<UpstreamCall*> call) = 0;

 protected:
  ~PoolWaiter() = default;

 private:
  friend class UpstreamPool;
  bool wants_fresh_ = false;
};

// kEither: what the TLS handshake agrees on. kHttp2 without TLS: by prior knowledge.
enum class UpstreamProtocol : std::uint8_t { kHttp1, kHttp2, kEither };

struct PoolLimits {
  std::uint32_t connections_max = 16'384;
  std::uint32_t idle_max = 1'024;
  // Opened before anyone asks; 0: as many HTTP/1.1 ones as were used at once lately.
  std::uint32_t warm = 0;
  Duration idle_time = seconds(30);
  std::uint32_t head_bytes_max = 64 * 1024;  // of a reply; at most proto::kHeadBytesMax
  std::uint32_t informational_max = 8;       // 1xx heads before the final one
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  std::string_view scheme = "https";  // static text
  // Of one HTTP/2 connection; the provider may take fewer.
  std::uint32_t streams_max = 256;
  // From so many streams on each, another connection is opened beside, up to spread_max; streams
  // are spread over so many, and over more only when those are full.
  std::uint32_t streams_before_spread = 16;
  std::uint32_t spread_max = 4;
};

// Pools of the same provider on other shards.
class PoolPeers {
 public:
  // A dial has begun that an idle connection of another shard would spare.
  virtual void on_missed(UpstreamPool& pool) = 0;
  // An idle connection for whom lend() named.
  virtual void on_lent(UpstreamPool& pool, std::uint32_t to,
                       std::unique_ptr<LooseStream> stream) = 0;

 protected:
  ~PoolPeers() = default;
};

struct PoolStats {
  std::uint64_t dialed = 0;
  std::uint64_t dial_failures = 0;
  std::uint64_t reused = 0;
  std::uint64_t stray_bytes = 0;  // connections dropped for bytes that nobody asked for
  std::uint64_t expected = 0;     // dialed since so many were used lately
  std::uint64_t borrowed = 0;     // taken from other shards
};

class UpstreamPool final : private DialSink, private shard::Deferred {
 public:
  UpstreamPool(shard::Shard& shard, Dialer& dialer, const PoolLimits& limits);
  // REQUIRES: no exchange under way, no waiter linked.
  ~UpstreamPool();

  // A call on a connection that is there, or null: then `waiter` is linked and hears later, unless
  // the pool is at connections_max (the error says so). `fresh`: never one that was used before.
  Result<UpstreamCall*> acquire(PoolWaiter& waiter, bool fresh);
  // Opens those that are to be warm, now and whenever there are fewer.
  void keep_warm();
  // ---- Lending ----
  // Null: nobody lends to it. Outlives the pool, or is taken back.
  void set_peers(PoolPeers* peers) { peers_ = peers; }
  // Lends an idle HTTP/1.1 connection that it will hardly miss, the longest unused: on_lent()
  // follows, unless something comes on it first. False: it has none to spare.
  bool lend(std::uint32_t to);
  // One that another shard has lent, open and read: for who waits longest, or to lie idle. A dial
  // that it makes needless is given up while that spares the handshake.
  void take_lent(Stream& stream);

  // Drops the idle ones and keeps none any more.
  void drain();

  std::size_t open_count() const { return conns_.live() + http2_conns_.live() + dialing_; }
  std::size_t idle_count() const { return idle_count_; }
  std::size_t http2_count() const { return http2_conns_.live(); }
  std::size_t http2_streams() const { return calls_.live(); }
  PoolStats& stats() { return stats_; }
  const PoolStats& stats() const { return stats_; }
  const PoolLimits& limits() const { return limits_; }

 private:
  friend class UpstreamConn;
  friend class Http2Conn;
  friend class Http2Call;

  void on_dialed(Dial& dial, Result<Stream*> stream) override;
  void run_deferred() override;
  void dial();
  void put_back(UpstreamConn& conn);
  void drop(UpstreamConn& conn);
  void hand_over(UpstreamConn& conn);
  PoolWaiter* take_waiter(bool used);
  void keep_idle(UpstreamConn& conn);
  void take_over(Stream& stream);
  void dial_failed(const Error& why);
  std::size_t dials_wanted();
  void lending_over(UpstreamConn& conn, std::unique_ptr<LooseStream> stream);
  void give_up_needless_dial();
  void set_in_use(UpstreamConn& conn, bool is_in_use);
  bool expects_load();
  void warm_for_load();
  bool takes_expected_dial();
  void wait_for_warm();
  void dial_for_waiters();
  bool shares_connections() const { return learned_ != UpstreamProtocol::kHttp1; }
  // Http2Conn's
  Http2Conn* least_busy(bool fresh);
  void spread(const Http2Conn& least);
  Http2Call* make_call(Http2Conn& conn, bool is_reused);
  void free_call(Http2Call& call);
  void on_room(Http2Conn& conn);
  void set_idle(Http2Conn& conn, bool is_idle);
  void drop(Http2Conn& conn, bool in_order);
  void drop_idle(Http2Conn& conn);
  shard::Shard& shard() { return shard_; }
  proto::ResponseHead& head_scratch() { return head_scratch_; }
  void on_warm_timer();

  shard::Shard& shard_;
  Dialer& dialer_;
  PoolLimits limits_;
  Pool<UpstreamConn> conns_;
  IntrusiveList<UpstreamConn, UpstreamConn> idle_;  // front: the last used
  IntrusiveList<UpstreamConn, UpstreamConn> lending_;
  IntrusiveList<UpstreamConn, UpstreamConn> dead_;  // freed when the turn's callbacks are over
  Pool<Http2Conn> http2_conns_;
  IntrusiveList<Http2Conn, Http2Conn> http2_open_;
  IntrusiveList<Http2Conn, Http2Conn> http2_dead_;
  Pool<Http2Call> calls_;
  IntrusiveList<Http2Call, CallTag> dead_calls_;
  UpstreamProtocol learned_;  // what the provider speaks, as far as is known
  IntrusiveList<PoolWaiter, PoolTag> waiters_;
  std::vector<std::unique_ptr<Dial>> dials_;
  std::vector<std::unique_ptr<Dial>> dials_done_;
  std::size_t dialing_ = 0;
  std::size_t expected_dialing_ = 0;  // of those: for nobody who waits
  std::size_t idle_count_ = 0;
  std::uint32_t in_use_ = 0;  // of HTTP/1.1
  RecentPeak peak_;           // of those
  RecentPeak now_needed_;     // the same of the last second: what is beyond may be lent
  PoolPeers* peers_ = nullptr;
  bool is_dialable_ = true;  // the last dial did not fail
  // The last reply that came whole left its connection open. Who closes each may serve one at a
  // time only, and one that lies unused would keep others waiting.
  bool keeps_connections_ = false;
  bool closes_connections_ = false;  // it did not: nobody will have one to lend
  PoolStats stats_;
  proto::ResponseHead head_scratch_;  // one parse at a time
  Timer warm_timer_{timer_callback<&UpstreamPool::on_warm_timer>, this};
};

}  // namespace leat::net
