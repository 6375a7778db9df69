// SPDX-License-Identifier: Apache-2.0
// UpstreamConn: one HTTP/1.1 connection to a provider, and the reading of replies on it. One
// exchange at a time, never pipelined. Made, kept and freed by an UpstreamPool.
//
// The safety of the pool rests here: only a connection whose last exchange ended in order, with
// every byte of the request sent and none of the reply's left over, is ever used again (finding 5
// of threats-and-faults.md: else answers cross tenants).
#pragma once

#include "base/pool.h"
#include "net/stream.h"
#include "net/upstream_call.h"
#include "proto/chunked.h"
#include "proto/http1_response.h"
#include "shard/shard.h"

namespace leat::net {

class UpstreamPool;

class UpstreamConn final : public UpstreamCall, public ListNode<UpstreamConn>, private StreamUser {
 public:
  void begin(ReplyHandler& handler) override;
  Result<std::size_t> send(const proto::RequestOptions& head, const RequestBody& body) override;
  void pause_reply() override;
  void resume_reply() override;
  bool hold_reply(Duration most) override;
  Stream* own_stream() override { return stream_; }
  void cancel() override;
  // The provider may have closed it while it lay idle, used or not.
  bool is_reused() const override { return exchanges_ > 1 || was_idle_; }

  Stream& stream() { return *stream_; }

 private:
  friend class UpstreamPool;
  template <class T, std::size_t>
  friend class leat::Pool;

  enum class State : std::uint8_t { kIdle, kHead, kLength, kChunked, kUntilClose, kLending, kDead };

  UpstreamConn(UpstreamPool& pool, Stream& stream);
  ~UpstreamConn() = default;

  void on_open() override {}
  void on_bytes(std::span<char> bytes) override;
  bool foresee(int depth, std::span<const char>) const override;
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override;
  void on_drained() override {}
  void on_lent(std::unique_ptr<LooseStream> stream) override;

  void read_head(std::string_view& in);
  bool take_head(const proto::HeadStatus& status, const proto::ResponseHead& head);
  void read_body(std::string_view& in);
  void read_length(std::string_view& in);
  void read_chunked(std::string_view& in);
  void end_reply(std::size_t left_over);
  void fail_reply(Code code, const char* what);
  void on_idle_over();

  UpstreamPool& pool_;
  Stream* stream_;
  ReplyHandler* handler_ = nullptr;  // null: idle or ending
  proto::ResponseParser parser_;
  BlockRef head_bytes_;  // of a head that did not come in one piece
  proto::ChunkedDecoder chunked_;
  std::uint64_t body_left_ = 0;
  std::uint64_t exchanges_ = 0;
  std::uint32_t informational_ = 0;
  std::uint32_t borrower_ = 0;  // with kLending
  State state_ = State::kIdle;
  bool keep_alive_ = false;
  bool is_paused_ = false;
  bool reply_started_ = false;
  bool is_in_use_ = false;
  bool was_idle_ = false;
  Timer idle_timer_{timer_callback<&UpstreamConn::on_idle_over>, this};
};

}  // namespace leat::net
