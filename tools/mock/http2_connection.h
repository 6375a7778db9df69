// SPDX-License-Identifier: Apache-2.0
// Http2Connection: a client of leat-mock that speaks HTTP/2 (RFC 9113), by prior knowledge or by
// ALPN. Each of its streams is answered by a plan of its own; all that is due in one turn of the
// loop goes out in one write, an event or a group of them to a DATA frame. A cut is a reset of the
// stream alone.
#pragma once

#include <nghttp2/nghttp2.h>
#include <openssl/base.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/instant.h"
#include "mock/context.h"
#include "mock/plan.h"
#include "wire/agenda.h"
#include "wire/link.h"

namespace leat::tools {

// Makes a server agree to whichever of h2 and http/1.1 a client names first.
void agree_on_protocol(SSL_CTX* tls);

class Http2Connection {
 public:
  // What a client that speaks it begins with.
  static constexpr std::string_view kFirstLine = "PRI * HTTP/2.0\r\n";

  // Both outlive it; the link stays its owner's, who watches it and closes it.
  Http2Connection(MockContext& context, Link& link);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  // Takes in what was received, from the preface on, and sends what is due. Call it also when
  // next_due() has come and when the link has sent what it kept. False: hang up.
  bool serve(std::string_view received);

  // When serve() has something to do without being told of bytes; kNever: not by itself.
  Instant next_due() const;

  // The client left: each answer under way is counted and logged.
  void note_gone() const;

 private:
  struct Stream;
  struct Callbacks;

  Stream& open_stream(std::int32_t id);
  void close_stream(Stream& stream);
  void answer(Stream& stream);
  void advance(Stream& stream);
  void begin_answer(Stream& stream, std::string_view content_type);
  bool produce(Stream& stream);
  ssize_t read_body(Stream& stream, std::uint8_t* out, std::size_t size, std::uint32_t* flags);
  bool write();

  MockContext& context_;
  Link& link_;
  Agenda due_;  // the streams' alarms: those due at one time ring together, before one write
  std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
  nghttp2_session* session_ = nullptr;
  std::string out_;
  bool has_more_ = false;  // to send: left for the next turn, so that others have theirs
};

}  // namespace leat::tools
