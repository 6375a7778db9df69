// SPDX-License-Identifier: Apache-2.0
// A server of HTTP/2 with a client made of frames by hand: answers each request that is whole.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http2_frames.h"
#include "net/http2_server_session.h"

namespace leat::net {

using namespace http2;  // NOLINT: what these tests are made of

class ServerPeer;

// One request, as its user sees it.
class Served final : public StreamUser {
 public:
  Served(ServerPeer& peer, Http2ServerStream& stream) : peer_(peer), stream_(&stream) {
    stream.set_user(*this);
  }
  std::string method, path, host, fields;
  proto::HttpFault fault = proto::HttpFault::kNone;
  std::optional<std::uint64_t> length;
  bool has_unknown_length = false;
  bool expects_continue = false;
  std::string body;
  bool is_whole = false;
  std::optional<Error> failed;
  int drains = 0;
  Http2ServerStream& stream() { return *stream_; }
  void answer(std::string_view body = "ok");
  void begin();

 private:
  void on_open() override {}
  void on_bytes(std::span<char> bytes) override { body.append(bytes.data(), bytes.size()); }
  void on_block_bytes(std::size_t) override {}
  void on_end(const Error& why) override;
  void on_drained() override { ++drains; }

  ServerPeer& peer_;
  Http2ServerStream* stream_;
};

class ServerPeer final : public Http2ServerSession::User {
 public:
  explicit ServerPeer(const Http2ServerLimits& limits = {})
      : session(std::make_unique<Http2ServerSession>(limits, *this, scratch)) {}
  ~ServerPeer() {
    session->fail_streams({.code = Code::kReset});
    session.reset();
  }

  std::list<Served> requests;
  bool answers = true;  // whole requests, at once
  Instant now{seconds(1).ns};
  proto::RequestHead scratch;
  RecordingStream wire;
  std::unique_ptr<Http2ServerSession> session;
  std::optional<Error> over;
  int turns_wanted = 0;
  std::vector<Duration> may_wait;  // each time it was told so, for how long

  // All at once, or `cut` bytes at a time.
  bool feed(std::string_view bytes, std::size_t cut = SIZE_MAX) {
    while (!bytes.empty() && !over) {
      const std::string_view slice = bytes.substr(0, cut);
      bytes.remove_prefix(slice.size());
      const auto fed = session->feed({slice.data(), slice.size()}, now);
      if (!fed) over = fed.error();
      flush();
    }
    return !over;
  }
  void flush() {
    const auto written = session->write_to(wire, now);
    if (!written && !over) over = written.error();
  }
  void greet(std::vector<std::pair<int, std::uint32_t>> entries = {}) {
    ASSERT_TRUE(feed(std::string(kPreface) + greeting(std::move(entries))));
    wire.take();
  }
  Served& last() { return requests.back(); }

 private:
  friend class Served;
  void on_request(Http2ServerStream& stream, const proto::HeadStatus& status,
                  const proto::RequestHead& head) override {
    Served& one = requests.emplace_back(*this, stream);
    one.fault = status.fault;
    if (!status.complete()) return one.answer("fault");
    one.method = head.method_text;
    one.path = head.path;
    one.host = head.host;
    one.length = head.content_length;
    one.has_unknown_length = head.chunked;
    one.expects_continue = head.expect_continue;
    for (const proto::Field field : head.fields) {
      one.fields.append(field.name).append("=").append(field.value).append(";");
    }
    one.is_whole = !head.chunked && head.content_length.value_or(0) == 0;
    if (one.is_whole && answers && one.path != "/wait") one.answer();
  }
  void on_wants_turn() override { ++turns_wanted; }
  void on_may_wait(Duration most) override { may_wait.push_back(most); }
};

inline void Served::begin() {
  const proto::Field fields[] = {{"content-type", "text/plain"}};
  stream_->write_head(200, fields);
}
inline void Served::answer(std::string_view body) {
  begin();
  stream_->write(body);
  stream_->finish();
}
inline void Served::on_end(const Error& why) {
  if (why.code == Code::kClosed) {
    is_whole = true;
    if (peer_.answers) answer();
    return;
  }
  failed = why;
  stream_->abort();
}

inline const Fields kGet = {
    {":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a.example"}};
inline const Fields kPost = {
    {":method", "POST"}, {":scheme", "http"}, {":path", "/p"}, {":authority", "a.example"}};

inline Fields with(Fields fields, std::string name, std::string value) {
  fields.emplace_back(std::move(name), std::move(value));
  return fields;
}
// With another value for one of them.
inline Fields as(Fields fields, std::string_view name, std::string value) {
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return fields;
}
inline Fields without(Fields fields, std::string_view name) {
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  return fields;
}

}  // namespace leat::net
