// SPDX-License-Identifier: Apache-2.0
// Frames of HTTP/2 by hand, for tests that are the other side: written with every mistake that a
// test wants, and read from what our side wrote. Only HPACK's reading is the library's.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/stream.h"

namespace leat::net::http2 {

enum Type : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kReset = 3,
  kSettings = 4,
  kPush = 5,
  kPing = 6,
  kGoaway = 7,
  kWindow = 8,
  kContinuation = 9,
};
inline constexpr std::uint8_t kEndStream = 1;
inline constexpr std::uint8_t kAck = 1;
inline constexpr std::uint8_t kEndHeaders = 4;
inline constexpr std::uint32_t kRefusedStream = 7;
inline constexpr std::uint32_t kCancel = 8;
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}
inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id,
                         std::string_view payload) {
  return number(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         number(id, 4) + std::string(payload);
}
inline std::string settings(std::vector<std::pair<int, std::uint32_t>> entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += number(id, 2) + number(value, 4);
  return frame(kSettings, 0, 0, payload);
}
// What a provider begins with: its own settings, and its nod to ours.
inline std::string greeting(std::vector<std::pair<int, std::uint32_t>> entries = {}) {
  return settings(std::move(entries)) + frame(kSettings, kAck, 0, "");
}
inline constexpr int kMaxConcurrentStreams = 3;
inline constexpr int kInitialWindow = 4;

using Fields = std::vector<std::pair<std::string, std::string>>;

// Literals without indexing and without Huffman's code.
inline std::string block(const Fields& fields) {
  std::string out;
  const auto text = [&](const std::string& value) {
    if (value.size() < 127) {
      out += static_cast<char>(value.size());
    } else {
      out += '\x7f';
      std::size_t rest = value.size() - 127;
      for (; rest >= 128; rest >>= 7) out += static_cast<char>(0x80 | (rest & 0x7f));
      out += static_cast<char>(rest);
    }
    out += value;
  };
  for (const auto& [name, value] : fields) {
    out += '\0';
    text(name);
    text(value);
  }
  return out;
}
inline std::string headers(std::uint32_t id, const Fields& fields, bool ends = false) {
  return frame(kHeaders, kEndHeaders | (ends ? kEndStream : 0), id, block(fields));
}
inline std::string data(std::uint32_t id, std::string_view bytes, bool ends = false) {
  return frame(kData, ends ? kEndStream : 0, id, bytes);
}
inline std::string reset(std::uint32_t id, std::uint32_t code) {
  return frame(kReset, 0, id, number(code, 4));
}
inline std::string goaway(std::uint32_t last, std::uint32_t code = 0) {
  return frame(kGoaway, 0, 0, number(last, 4) + number(code, 4));
}
inline std::string window(std::uint32_t id, std::uint32_t size) {
  return frame(kWindow, 0, id, number(size, 4));
}
inline std::string ping() {
  return frame(kPing, 0, 0, "12345678");
}
// A whole reply.
inline std::string reply(std::uint32_t id, std::string_view body = "ok") {
  return headers(id, {{":status", "200"}}) + data(id, body, true);
}

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t id = 0;
  std::string payload;

  std::uint32_t word(std::size_t at) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
      value = value << 8 | static_cast<std::uint8_t>(payload[at + i]);
    return value;
  }
};

// Whole frames out of what a client wrote, its preface taken off.
inline std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> frames;
  if (bytes.starts_with(kPreface)) bytes.remove_prefix(kPreface.size());
  while (bytes.size() >= 9) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::size_t size = std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2);
    LEAT_CHECK(bytes.size() >= 9 + size);
    Frame one{byte(3), byte(4), 0, std::string(bytes.substr(9, size))};
    for (std::size_t i = 5; i < 9; ++i) one.id = one.id << 8 | byte(i);
    frames.push_back(std::move(one));
    bytes.remove_prefix(9 + size);
  }
  LEAT_CHECK(bytes.empty());
  return frames;
}

// Keeps what is written, and lets the test be the peer.
class RecordingStream final : public Stream {
 public:
  std::string written;
  std::size_t backlog = 0;
  std::string_view chosen;  // by ALPN
  bool aborted = false;
  bool finished = false;

  // What was written since the last call.
  std::string take() { return std::exchange(written, {}); }
  std::vector<Frame> take_frames() { return frames_of(take()); }
  // Those of one type.
  std::vector<Frame> take_frames(std::uint8_t type) {
    std::vector<Frame> frames = take_frames();
    std::erase_if(frames, [&](const Frame& each) { return each.type != type; });
    return frames;
  }
  bool is_over() const { return aborted || finished; }
  void receive(std::string_view bytes) {
    if (is_over()) return;
    std::string copy(bytes);
    user_->on_bytes(copy);
  }
  void end() { user_->on_end({.code = Code::kClosed}); }
  void drain() {
    backlog = 0;
    user_->on_drained();
  }

  char* prepare(std::size_t size) override {
    prepared_.resize(size);
    return prepared_.data();
  }
  void commit(std::size_t size) override { written.append(prepared_.data(), size); }
  void write_block(Block& block, std::size_t offset, std::size_t size) override {
    written.append(block.data() + offset, size);
  }
  void pause() override {}
  void resume() override {}
  bool can_receive_into_block() const override { return false; }
  void receive_block(BlockRef, std::size_t, std::size_t) override {}
  std::size_t backlog_bytes() const override { return backlog; }
  std::string_view protocol() const override { return chosen; }
  void finish() override { finished = true; }
  void abort() override { aborted = true; }

 private:
  std::string prepared_;
};

// Reads field blocks in the order in which they were written.
class FieldReader {
 public:
  FieldReader() { LEAT_CHECK(nghttp2_hd_inflate_new(&inflater_) == 0); }
  ~FieldReader() { nghttp2_hd_inflate_del(inflater_); }
  FieldReader(const FieldReader&) = delete;
  FieldReader& operator=(const FieldReader&) = delete;

  Fields read(std::string_view block) {
    Fields fields;
    never_indexed.clear();
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t taken = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      LEAT_CHECK(taken >= 0);
      at += taken;
      left -= static_cast<std::size_t>(taken);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                            std::string(reinterpret_cast<char*>(field.value), field.valuelen));
        if ((field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0) {
          never_indexed.push_back(fields.back().first);
        }
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }
  std::vector<std::string> never_indexed;  // of the last block

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace leat::net::http2
