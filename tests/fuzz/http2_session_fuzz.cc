// SPDX-License-Identifier: Apache-2.0
// What a hostile provider sends to a session with three requests under way; the first byte steers
// which of them is paused or cancelled and when. However the bytes are cut, each stream and the
// session end in the same way, each stream ends at most once, and no more comes out of a stream
// than went in.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "frame_slices.h"
#include "net/http2_session.h"

namespace {

using namespace leat;
using namespace leat::net;
using fuzz::feed_slices;
using fuzz::kWriteEvery;
using fuzz::Sink;

class Asker final : public Http2Stream {
 public:
  std::string digest;
  std::string body;
  std::size_t body_bytes = 0;
  bool is_over = false;

 private:
  void on_stream_head(const proto::ResponseHead& head) override {
    LEAT_CHECK(!is_over && head.status >= 200 && head.status <= 599);
    digest += std::to_string(head.status) + "|" + std::string(head.content_type) + "|";
    digest += std::to_string(head.content_length.value_or(0)) + "|";
    for (const proto::Field field : head.fields) {
      digest.append(field.name).append(":").append(field.value).append(";");
    }
  }
  void on_stream_body(std::string_view bytes) override {
    LEAT_CHECK(!is_over && !bytes.empty());
    body += bytes;
    body_bytes += bytes.size();
  }
  void on_stream_pause() override { LEAT_CHECK(!is_over); }
  void on_stream_end() override { finish(body + "end"); }
  // How much of a reply came before its fault depends on the cuts.
  void on_stream_failed(const Error& why) override {
    LEAT_CHECK(why.what[0] != '\0');
    finish("failed " + std::to_string(static_cast<int>(why.code)) +
           std::to_string(static_cast<int>(why.retry)));
  }
  void finish(std::string_view how) {
    LEAT_CHECK(!is_over && !is_open());
    is_over = true;
    digest += how;
  }
};

std::string run(std::uint8_t steering, std::string_view input, std::size_t cut) {
  proto::ResponseHead scratch;
  Http2Session session({.head_bytes_max = 2'048, .control_frames_max = 50}, scratch, "https");
  Sink out;
  Asker askers[3];
  const proto::RequestOptions head{.target = "/", .host = "a", .content_length = 10};
  const std::string_view body = "0123456789";
  for (Asker& asker : askers) {
    LEAT_CHECK(session.send(asker, head, {nullptr, {&body, 1}}).has_value());
  }
  LEAT_CHECK(session.write_to(out).has_value());
  Asker& steered = askers[steering % 3];
  if ((steering & 4) != 0) session.pause(steered);
  const auto write = [&] { return session.write_to(out).has_value(); };
  const auto written = [&](std::size_t count, bool is_over) {
    session.release_written();
    if (count != steering / 8u || is_over) return;
    session.resume(steered);
    session.cancel(askers[(steering + 1) % 3]);
  };
  const bool is_over = feed_slices(session, input, cut, write, written);
  LEAT_CHECK(!is_over || !session.takes_streams());
  // After GOAWAY and the last stream it is over for all who use it, whatever it still reads.
  std::string digest = session.takes_streams() ? "open" : "over";
  session.fail_streams({.code = Code::kClosed, .what = "end of input"});
  LEAT_CHECK(session.open_streams() == 0);
  std::size_t came = 0;
  for (const Asker& asker : askers) {
    digest += asker.digest + "#";
    came += asker.body_bytes;
  }
  LEAT_CHECK(came <= input.size());
  return digest;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = run(data[0], input, kWriteEvery);
  const std::string in_bytes = run(data[0], input, 1);
  const std::string in_pieces = run(data[0], input, 7);
  // The library's bound on CONTINUATION depends on the cuts: inputs that may have many of them show
  // only that nothing breaks.
  if (std::ranges::count(input, '\x09') > 3) return 0;
  LEAT_CHECK(in_bytes == whole);
  LEAT_CHECK(in_pieces == whole);
  return 0;
}
