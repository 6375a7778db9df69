// SPDX-License-Identifier: Apache-2.0
// Record13: TLS 1.3 of one connection after its handshake (RFC 8446, 4.6 and 5), in place of the
// library's object: records are sealed into the room that they leave from and opened in the slice
// they came in. A session makes one when it leaves the library (session.h); belongs to one shard.
// No certificates, no tickets, no time. Between the .cc files of this layer and its tests.
//
//   kOpen -> kClosed (the peer's close_notify)
//     '----> kFailed (fault() says why; an alert for the peer was written)
//
// Whatever the peer sends ends in one of these. What only a peer that floods would send is
// limited: empty records, and KeyUpdates and tickets that no data stand between.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tls/session.h"
#include "tls/traffic_keys.h"

namespace leat::tls {

class Record13 {
 public:
  enum class Role : std::uint8_t { kClient, kServer };

  static constexpr std::size_t kPlainBytesMax = 1 << 14;                   // RFC 8446, 5.1
  static constexpr std::size_t kBodyBytesMax = kPlainBytesMax + 256;       // 5.2
  static constexpr std::uint64_t kRecordsPerKey = std::uint64_t{1} << 23;  // 5.5: 2^24.5 for GCM
  static constexpr std::uint32_t kEmptyRecordsMax = 32;                    // without data between
  static constexpr std::uint32_t kWarningsMax = 4;                         // the same
  // Of KeyUpdates and tickets these come at once; each kRecordsPerMessage records of data allow one
  // more. A KeyUpdate costs us as much as ten small records.
  static constexpr std::uint32_t kMessagesMax = 32;
  static constexpr std::uint32_t kRecordsPerMessage = 16;
  static constexpr std::size_t kTicketBytesMax = 16 * 1024;

  // `records_per_key`: after so many a direction gets another key.
  Record13(Role role, const TrafficState& read, const TrafficState& write,
           std::uint64_t records_per_key = kRecordsPerKey);

  SessionState state() const { return state_; }
  // With kFailed: static text.
  const char* fault() const { return fault_; }

  // As those of TlsSession. What the sink gets lies in `bytes`, but for a record that came in
  // several slices.
  SessionState feed(std::span<char> bytes, PlainSink& sink, CipherOut& out);
  void write(std::span<const std::string_view> plain, CipherOut& out);
  void close_notify(CipherOut& out);

  // What the peer's next record will be opened with, and ours sealed.
  const TrafficState& read_state() const { return read_.state(); }
  const TrafficState& write_state() const { return write_.state(); }
  // Bytes of a record of which the rest has not come.
  std::size_t held_bytes() const { return held_; }

 private:
  enum class Alert : std::uint8_t;
  enum class Update : std::uint8_t { kNone, kAnswer, kAsk };

  bool accept_header(const char* header, CipherOut& out);
  std::span<char> collect(std::span<char> bytes, PlainSink& sink, CipherOut& out);
  void open(std::span<char> record, PlainSink& sink, CipherOut& out);
  void on_data(std::span<char> plain, PlainSink& sink, CipherOut& out);
  void on_alert(std::span<const char> body, CipherOut& out);
  void on_handshake(std::span<const char> body, CipherOut& out);
  bool begin_message(CipherOut& out);
  void on_key_update(CipherOut& out);
  void send(ContentType type, std::string_view body, CipherOut& out);
  void send_key_update(CipherOut& out);
  void fail(Alert alert, const char* what, CipherOut& out);

  TrafficKeys read_;
  TrafficKeys write_;
  const std::uint64_t records_per_key_;
  const char* fault_ = "";
  // The record of which a part has come: its header here, all of it in room of its size once its
  // size is known.
  std::unique_ptr<char[]> scratch_;
  std::size_t held_ = 0;
  std::array<char, kRecordHeaderBytes> header_;
  // The handshake message of which a part has come: type, length and, for a KeyUpdate, its one
  // byte; of a ticket the rest is passed over.
  std::uint8_t message_size_ = 0;
  std::array<std::uint8_t, 5> message_;
  std::uint32_t skip_ = 0;
  std::uint32_t empty_records_ = 0;
  std::uint32_t warnings_ = 0;
  std::uint32_t messages_ = 0;
  std::uint32_t data_records_ = 0;
  const Role role_;
  SessionState state_ = SessionState::kOpen;
  Update update_due_ = Update::kNone;
  bool asked_ = false;  // for another key of the peer, which has not come
  bool write_closed_ = false;
};

}  // namespace leat::tls
