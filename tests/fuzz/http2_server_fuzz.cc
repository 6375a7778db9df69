// SPDX-License-Identifier: Apache-2.0
// What a hostile client sends behind its preface; the first byte steers how requests are answered.
// However the bytes are cut, the same requests come, each ends at most once, and the session ends
// in the same way; no head has a line end in it.
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "base/check.h"
#include "frame_slices.h"
#include "net/http2_server_session.h"

namespace {

using namespace leat;
using namespace leat::net;
using fuzz::feed_slices;
using fuzz::kWriteEvery;
using fuzz::Sink;

class Request final : public StreamUser {
 public:
  Request(Http2ServerStream& stream, std::uint8_t steering) : stream_(stream), steering_(steering) {
    stream.set_user(*this);
  }
  void take_head(const proto::HeadStatus& status, const proto::RequestHead& head) {
    if (!status.complete()) {
      digest += "fault " + std::to_string(static_cast<int>(status.fault));
      return answer();
    }
    digest.append(head.method_text).append(" ").append(head.target).append("|");
    for (const proto::Field field : head.fields) {
      LEAT_CHECK(field.value.find_first_of("\r\n") == std::string_view::npos);
      digest.append(field.name).append(":").append(field.value).append(";");
    }
    LEAT_CHECK(!head.http10);
    if ((steering_ & 1) != 0) answer();
  }
  std::string digest;
  std::size_t came = 0;

 private:
  void on_open() override {}
  void on_block_bytes(std::size_t) override {}
  void on_drained() override {}
  void on_bytes(std::span<char> bytes) override {
    LEAT_CHECK(!is_over_ && !bytes.empty());
    came += bytes.size();
  }
  void on_end(const Error& why) override {
    LEAT_CHECK(!is_over_);
    if (why.code == Code::kClosed) {
      digest += "whole";
      return answer();
    }
    is_over_ = true;
    if (digest.find("whole") == std::string::npos) digest += "lost";
    stream_.abort();
  }
  void answer() {
    is_over_ = true;
    const proto::Field fields[] = {{"content-type", "text/plain"}};
    if ((steering_ & 2) != 0) stream_.hold();
    stream_.write_head(200, fields);
    stream_.write("answer");
    if ((steering_ & 2) != 0) stream_.release_held(true);
    if ((steering_ & 4) != 0) return stream_.break_off();
    if ((steering_ & 8) != 0) return stream_.abort();
    stream_.finish();
  }

  Http2ServerStream& stream_;
  const std::uint8_t steering_;
  bool is_over_ = false;
};

class Server final : public Http2ServerSession::User {
 public:
  explicit Server(std::uint8_t steering) : steering_(steering) {}
  std::list<Request> requests;

 private:
  void on_request(Http2ServerStream& stream, const proto::HeadStatus& status,
                  const proto::RequestHead& head) override {
    requests.emplace_back(stream, steering_).take_head(status, head);
  }
  void on_wants_turn() override {}
  void on_may_wait(Duration) override {}

  const std::uint8_t steering_;
};

constexpr std::string_view kBeginning = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::string run(std::uint8_t steering, std::string_view input, std::size_t cut) {
  proto::RequestHead scratch;
  Server server(steering);
  Http2ServerLimits limits;
  limits.head.head_bytes_max = 2'048;
  limits.streams_max = 8;
  Http2ServerSession session(limits, server, scratch);
  Sink out;
  LEAT_CHECK(session.feed(kBeginning, Instant{1}).has_value());
  LEAT_CHECK(session.write_to(out, Instant{1}).has_value());
  const auto write = [&] { return session.write_to(out, Instant{1}).has_value(); };
  const bool is_over = feed_slices(session, input, cut, write, [&](std::size_t count, bool) {
    if (count == steering / 16u) session.announce_end();
  });
  std::string digest = is_over ? "over" : "open";
  session.fail_streams({.code = Code::kReset, .what = "end of input"});
  LEAT_CHECK(session.open_streams() == 0);
  std::size_t came = 0;
  for (const Request& each : server.requests) {
    digest += each.digest + "#";
    came += each.came;
  }
  LEAT_CHECK(came <= input.size());
  return digest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = run(data[0], input, kWriteEvery);
  LEAT_CHECK(run(data[0], input, 1) == whole);
  LEAT_CHECK(run(data[0], input, 7) == whole);
  return 0;
}
