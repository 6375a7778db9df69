// SPDX-License-Identifier: Apache-2.0
// Http2Peer: one side of an HTTP/2 connection (RFC 9113) for the simulated clients and providers:
// bytes in, bytes out, over the frames that the unit tests write by hand. Written apart from
// src/net and its library on purpose, and strict: a frame that our side should never send - out of
// order, on a stream that has ended, beyond a window or a limit - is a fault with a reason.
//
// What it sends is as odd as the rules allow: heads in several frames, padding, DATA of any size,
// streams in any order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "net/http2_frames.h"

namespace leat::sim {

struct Http2PeerOptions {
  bool is_client = false;
  std::uint32_t stream_window = 65'535;      // of what may be on its way to it; at least 1
  std::uint32_t connection_window = 65'535;  // at least that
  std::uint32_t streams_max = 100;           // of a server
};

class Http2Peer {
 public:
  class User {
   public:
    virtual void on_head(std::uint32_t id, const net::http2::Fields& fields, bool ends) = 0;
    virtual void on_data(std::uint32_t id, std::string_view bytes, bool ends) = 0;
    virtual void on_reset(std::uint32_t id, std::uint32_t code) = 0;
    virtual void on_goaway(std::uint32_t last, std::uint32_t code) = 0;
    // So many bytes of the stream's body stand in frames up to written(); `ends`: all there are.
    virtual void on_framed(std::uint32_t id, std::uint64_t bytes, bool ends) = 0;

   protected:
    ~User() = default;
  };

  Http2Peer(const Http2PeerOptions& options, Rng& rng, User& user);

  void feed(std::string_view bytes);
  // Empty: none. Nothing is read after one.
  const std::string& fault() const { return fault_; }
  // Where the frame that is being told of begins and ends, in all bytes that were fed.
  std::uint64_t frame_begin() const { return frame_begin_; }
  std::uint64_t frame_end() const { return frame_begin_ + frame_size_; }

  // A client's next stream.
  std::uint32_t next_id();
  void send_head(std::uint32_t id, const net::http2::Fields& fields, bool ends = false);
  // Leaves as far as the windows allow, and the rest when they open.
  void send_body(std::uint32_t id, std::string_view bytes, bool ends);
  void send_reset(std::uint32_t id, std::uint32_t code);
  void send_goaway(std::uint32_t last, std::uint32_t code);
  // Another number of streams than before, once the last such word was heard.
  void send_streams_max(std::uint32_t streams_max);
  void send_raw(std::string_view bytes) { put(std::string(bytes)); }
  // What comes on this stream is not made room for until it is told otherwise.
  void hold_window(std::uint32_t id, bool holds);

  // Bytes to be written, which the owner takes away; how many there ever were.
  std::string& out() { return out_; }
  std::uint64_t written() const { return written_; }

  // Streams that neither side has ended.
  std::size_t open_streams() const { return open_; }
  std::uint32_t peer_streams_max() const { return peer_streams_max_; }
  bool is_open(std::uint32_t id) const;
  // The other side has nothing more to say on it, or none of it is wanted any more.
  bool is_heard_out(std::uint32_t id) const;

 private:
  struct Stream {
    std::int64_t receive_window = 0;
    std::int64_t send_window = 0;
    std::uint64_t unreturned = 0;  // bytes that no WINDOW_UPDATE gave back
    std::string unsent;
    std::uint64_t body_sent = 0;
    bool ends = false;  // behind what is unsent
    bool holds = false;
    bool has_final_head = false;  // of the other side
    bool is_here_over = false;    // no more is sent
    bool is_there_over = false;   // no more may come
    bool was_reset = false;       // by us: what was on its way may come
  };

  void fail(const std::string& why);
  bool take_frame();
  void on_frame(const net::http2::Frame& frame);
  void on_settings(const net::http2::Frame& frame);
  void on_headers(const net::http2::Frame& frame);
  void on_head_whole();
  void on_data(const net::http2::Frame& frame);
  void on_window(const net::http2::Frame& frame);
  void on_reset(const net::http2::Frame& frame);
  Stream* open_stream(std::uint32_t id);
  void end_there(Stream& stream);
  void end_here(Stream& stream);
  void give_back(std::uint32_t id, Stream& stream);
  void give_back_connection();
  void put(const std::string& bytes);
  void flush();
  bool send_some(std::uint32_t id, Stream& stream);

  const Http2PeerOptions options_;
  Rng& rng_;
  User& user_;
  net::http2::FieldReader fields_;
  std::string in_;
  std::uint64_t frame_begin_ = 0;
  std::uint64_t frame_size_ = 0;
  std::string fault_;
  bool has_preface_ = false;
  bool has_settings_ = false;
  bool is_acknowledged_ = false;  // the first SETTINGS
  bool is_heard_ = true;          // ... the last ones
  std::uint32_t streams_max_;
  std::uint32_t streams_max_told_;
  std::string head_;  // of a head in several frames
  std::uint32_t head_id_ = 0;
  bool head_ends_ = false;
  std::map<std::uint32_t, Stream> streams_;
  std::size_t open_ = 0;
  std::uint32_t last_id_ = 0;  // of the client's streams
  std::uint32_t next_id_ = 1;
  std::int64_t receive_window_ = 65'535;  // the connection's
  std::int64_t send_window_ = 65'535;
  std::uint64_t unreturned_ = 0;
  std::int64_t peer_window_ = 65'535;  // of a new stream
  std::uint32_t peer_streams_max_ = 100;
  std::uint32_t turn_ = 0;  // the stream that was last sent of
  bool is_flushing_ = false;
  std::string out_;
  std::uint64_t written_ = 0;
};

}  // namespace leat::sim
