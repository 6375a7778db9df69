// SPDX-License-Identifier: Apache-2.0
// TcpStream: a Stream over one TCP connection, plain or with TLS. TcpStreams makes, owns and frees
// those of a shard.
//
//   (dial) kConnecting -> kHandshaking -> kOpen -> finish() -> kFinishing -> kLingering -> kDead
//   (accepted)    with TLS kHandshaking, else kOpen
//                 abort(), finish() while kConnecting, any failure while finishing -> kDead
//
// What is written in a turn is kept as ranges of the turn's arena and becomes one send when the
// turn ends, sealed into TLS records first where there is TLS. A send that the socket does not take
// whole leaves a Backlog, and the stream is blocked until that has gone.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/intrusive_list.h"
#include "base/pool.h"
#include "net/backlog.h"
#include "net/handshake_queue.h"
#include "net/hold_stats.h"
#include "net/loose_stream.h"
#include "net/segments.h"
#include "net/send_hold.h"
#include "net/stream.h"
#include "shard/shard.h"
#include "tls/session.h"

namespace leat::tls {
class ServerContext;
class ClientContext;
}  // namespace leat::tls

namespace leat::net {

class TcpStreams;
struct EndingTag;

class TcpStream final : public Stream,
                        public ListNode<TcpStream>,
                        private io::SocketHandler,
                        private shard::Flushable,
                        private shard::Deferred,
                        private ListNode<EndingTag>,
                        private tls::PlainSink {
 public:
  char* prepare(std::size_t size) override;
  void commit(std::size_t size) override;
  void write_block(Block& block, std::size_t offset, std::size_t size) override;
  void pause() override;
  void pause_watching() override;
  void resume() override;
  bool can_receive_into_block() const override { return tls_ == nullptr; }
  void receive_block(BlockRef block, std::size_t offset, std::size_t size) override;
  void hold(Duration most) override;
  void hold_sends(Duration most) override;
  void delay_acks() override;
  bool delays_acks() override;
  std::size_t backlog_bytes() const override { return backlog_ ? backlog_->bytes() : 0; }
  // Without records of the library's, which are nobody's words.
  std::size_t unsent_bytes() const override {
    return backlog_bytes() + (tls_ != nullptr ? plain_ : wire_).bytes();
  }
  std::uint64_t bytes_written() const override { return bytes_written_; }
  std::string_view protocol() const override { return tls_ != nullptr ? tls_->alpn() : ""; }
  bool lend() override;
  void finish() override;
  void abort() override;

 private:
  friend class TcpStreams;
  template <class T, std::size_t>
  friend class leat::Pool;
  template <class T, class U>
  friend class leat::IntrusiveList;
  using Ending = ListNode<EndingTag>;

  enum class State : std::uint8_t {
    kConnecting,
    kHandshaking,
    kOpen,
    kFinishing,
    kLingering,
    kDead
  };

  // What only an ending stream needs.
  struct Linger {
    explicit Linger(TcpStream* stream)
        : timer(timer_callback<&TcpStream::on_linger_over>, stream) {}
    Timer timer;
    std::size_t discarded = 0;
  };

  // What only a stream needs that was told to hold.
  struct Holding {
    explicit Holding(TcpStream* stream) : timer(timer_callback<&TcpStream::on_hold_over>, stream) {}
    Timer timer;
    Duration most{};          // zero: it does not hold now
    Instant since = kNever;   // with the timer: when the first of what is held was told of
    std::size_t brought = 0;  // since hold() was called last
  };

  // What only a stream needs whose handshake waits for its turn.
  struct Hello final : WaitingHandshake {
    Hello(TcpStream* from, std::span<const char> bytes) : WaitingHandshake(bytes), stream(from) {}
    void on_handshake_turn() override { stream->end_waiting(); }
    TcpStream* stream;
  };

  explicit TcpStream(TcpStreams& owner) : owner_(owner) {}
  ~TcpStream() = default;

  // io::SocketHandler
  void on_receive(std::span<char> bytes) override;
  bool foresee(int depth, std::span<const char> bytes) const override;
  void on_receive_end(int error) override;
  void on_receive_into(std::size_t count, int error) override;
  void on_connect(int error) override;
  void on_held() override;
  void on_peer_gone() override;
  void on_send_short(std::size_t sent, int error) override;
  void on_send_block(std::size_t sent, int error) override;
  void on_released(std::unique_ptr<io::LooseSocket> socket) override;
  // shard
  void flush() override;
  void run_deferred() override;
  // tls::PlainSink
  void on_plain(std::span<char> bytes) override;

  void on_linger_over();
  void on_hold_over();
  void stop_holding();
  void on_send_hold_over();
  void want_flush();
  SegmentList& written() { return tls_ != nullptr ? plain_ : wire_; }
  bool may_wait();
  void release_sends();
  bool must_wait(std::span<const char> bytes);
  void end_waiting();
  void feed_tls(std::span<char> bytes);
  void become_open();
  void seal();
  void stage_send();
  void keep_backlog(const SegmentList& segments, std::size_t skip);
  void send_backlog();
  void report_end(const Error& why);
  void start_lingering();
  void die();
  bool is_ending() const { return state_ >= State::kFinishing; }

  TcpStreams& owner_;
  io::SocketId socket_;
  std::unique_ptr<tls::TlsSession> tls_;
  // Written since the last flush, in the arena being filled: plaintext yet to be sealed (with TLS
  // only), and what goes on the wire as it is.
  SegmentList plain_;
  SegmentList wire_;
  SegmentList staged_;                // given to Io::send() by the flush before this turn
  std::unique_ptr<Backlog> backlog_;  // not null: blocked
  std::unique_ptr<Linger> linger_;
  std::unique_ptr<Holding> holding_;
  std::unique_ptr<SendHold> send_hold_;
  std::unique_ptr<Hello> hello_;  // not null: its handshake waits
  std::uint64_t bytes_written_ = 0;
  std::uint64_t staged_in_ = 0;  // Io's turns when something was staged last
  State state_ = State::kOpen;
  bool is_outgoing_ = false;
  bool has_answered_ = false;  // accepted: the dear part of its handshake is done
  bool end_reported_ = false;
  bool failure_reported_ = false;
  bool peer_ended_ = false;
};

// What a shard's streams have in common. Outlives its streams.
class TcpStreams {
 public:
  explicit TcpStreams(shard::Shard& shard) : shard_(shard), handshakes_(shard) {}
  // Hangs up on whoever is left: streams that linger outlive their users.
  ~TcpStreams();

  // A stream for an accepted socket; `context` null: plain. Starts receiving; with TLS on_open() or
  // on_end() follows, in the peer's own time: a limit is the user's to set.
  TcpStream& adopt(io::SocketId socket, tls::ServerContext* context, StreamUser& user);
  // Goes on with what another shard has lent; it is open and is read. Whoever gets it sets itself
  // as its user at once.
  TcpStream& adopt(std::unique_ptr<LooseStream> stream);
  // Starts connecting; on_open() or on_end() follows. `context` null: plain; else the handshake
  // verifies `server_name`, a host name or an IP literal.
  Result<TcpStream*> dial(const io::Address& address, tls::ClientContext* context,
                          const std::string& server_name, StreamUser& user);

  std::size_t live() const { return pool_.live(); }
  // Who holds back by other means notes it here too.
  HoldStats& hold_stats() { return hold_stats_; }
  const HandshakeQueue& handshakes() const { return handshakes_; }
  // With providers, that ended well; and those of them that resumed an earlier session.
  std::uint64_t handshakes_made() const { return handshakes_made_; }
  std::uint64_t handshakes_resumed() const { return handshakes_resumed_; }
  // Drops the streams that were told to finish and still wait for their peers; they are freed with
  // the coming turn.
  void abort_ending();
  // Told each time that no stream is left; may be null.
  std::function<void()> on_none_left;

 private:
  friend class TcpStream;
  shard::Shard& shard_;
  Pool<TcpStream> pool_;
  IntrusiveList<TcpStream, EndingTag> ending_;
  IntrusiveList<TcpStream, TcpStream> all_;
  HoldStats hold_stats_;
  HandshakeQueue handshakes_;
  std::uint64_t handshakes_made_ = 0;
  std::uint64_t handshakes_resumed_ = 0;
  char* prepared_ = nullptr;  // between prepare() and commit()
  std::size_t prepared_bytes_ = 0;
};

}  // namespace leat::net
