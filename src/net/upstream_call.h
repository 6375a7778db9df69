// SPDX-License-Identifier: Apache-2.0
// UpstreamCall: one exchange with a provider, whatever carries it: an HTTP/1.1 connection that is
// ours alone meanwhile (upstream_conn.h), or one stream of an HTTP/2 connection that many share
// (http2_conn.h). Had from an UpstreamPool, which frees it.
//
//   begin() -> send() -> on_reply_head(), on_reply_body()... -> on_reply_end()
//                  '----------------------------------------> on_reply_failed()
//   cancel(), at any time, instead of the last
//
// Belongs to its pool's shard.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/block.h"
#include "base/instant.h"
#include "base/result.h"
#include "proto/http1_response.h"
#include "proto/http1_write.h"

namespace leat::net {

class Stream;

// Who waits for the reply. Inside any call UpstreamCall::cancel() is allowed.
class ReplyHandler {
 public:
  // The final head (1xx ones are skipped). Valid during the call.
  virtual void on_reply_head(const proto::ResponseHead& head) = 0;
  // Payload with the framing taken off. Valid during the call, never empty.
  virtual void on_reply_body(std::string_view bytes) = 0;
  // on_reply_body() is next, after those of others: as io::SocketHandler::foresee().
  virtual bool foresee(int depth) const {
    (void)depth;
    return false;
  }
  // The bytes of one receive have all been handed over, and more are to come: the time to pass on
  // what they made.
  virtual void on_reply_pause() = 0;
  // The reply is whole. The call is no longer the handler's.
  virtual void on_reply_end() = 0;
  // It will never be whole. The call is no longer the handler's. Retry::kNotExecuted: the provider
  // says that it did not begin with it.
  virtual void on_reply_failed(const Error& why) = 0;

 protected:
  ~ReplyHandler() = default;
};

// What a request's body is made of, in order.
struct RequestBody {
  // Pieces above this go out from where they lie in the block; below, a copy is cheaper than one
  // more range of a gathered send.
  static constexpr std::size_t kCopyBytesMax = 2048;

  Block* block = nullptr;  // that most of them lie in; null: none does
  std::span<const std::string_view> pieces;

  bool is_in_block(std::string_view piece) const {
    return block != nullptr && piece.data() >= block->data() &&
           piece.data() < block->data() + block->size;
  }
  bool goes_as_it_is(std::string_view piece) const {
    return piece.size() > kCopyBytesMax && is_in_block(piece);
  }
};

class UpstreamCall {
 public:
  // Takes the call for one exchange.
  virtual void begin(ReplyHandler& handler) = 0;
  // Writes the request, once, after begin(). The block is the caller's to keep until the provider
  // has answered or the call was cancelled; all else is copied. How many bytes of the block were
  // copied, or why the head cannot be written: then nothing has left, and cancel() is next.
  virtual Result<std::size_t> send(const proto::RequestOptions& head, const RequestBody& body) = 0;
  // Stops reading the reply, and goes on. What ended in order is read again whatever it was told.
  // With HTTP/2 what was under way still comes: up to the stream's window.
  virtual void pause_reply() = 0;
  virtual void resume_reply() = 0;
  // What comes of the reply may wait so long for more of it (Stream::hold), until told otherwise.
  // False: that would hold the replies of others too.
  virtual bool hold_reply(Duration most) = 0;
  // The connection, where it is this call's alone; else null.
  virtual Stream* own_stream() { return nullptr; }
  // The exchange is of no more interest: hangs up, or resets the stream.
  virtual void cancel() = 0;
  // Its connection had served an exchange before: a failure without a reply may be its age
  // (kReusedOnly).
  virtual bool is_reused() const = 0;

 protected:
  ~UpstreamCall() = default;
};

}  // namespace leat::net
