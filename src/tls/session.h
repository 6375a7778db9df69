// SPDX-License-Identifier: Apache-2.0
// TlsSession: TLS of one connection as bytes in, bytes out. Made by a ServerContext or
// ClientContext (context.h), which outlives it or is kept by it; belongs to one shard. No sockets,
// no time, no I/O: ciphertext of the peer goes in through feed(), plaintext comes out through a
// PlainSink, ciphertext to be sent through a CipherOut.
//
//   kHandshaking -> kOpen -> kClosed (the peer's close_notify)
//        '------------'----> kFailed (error() says why; an alert for the peer was written)
//
// A connection that ends while kOpen was cut off: only close_notify is an end in order.
//
// The handshake is the library's. With TLS 1.3 the session leaves it afterwards (record13.h): a
// server with its first write, which takes the tickets along; a client when the first plaintext has
// come, since the tickets come before it. Other versions stay with the library.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

typedef struct ssl_st SSL;

namespace leat::tls {

class PlainSink {
 public:
  // Plaintext, writable, valid during the call; it may lie in the bytes that are being fed. Never
  // empty. May make the session's owner forget the session, not destroy it.
  virtual void on_plain(std::span<char> bytes) = 0;

 protected:
  ~PlainSink() = default;
};

class CipherOut {
 public:
  // The next `size` bytes of the output, to be filled before anything else is asked for. `size` is
  // not 0.
  virtual char* extend(std::size_t size) = 0;
  // Copies.
  void append(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
  }

 protected:
  ~CipherOut() = default;
};

enum class SessionState : std::uint8_t { kHandshaking, kOpen, kClosed, kFailed };

// Whose records a session writes and reads once its handshake is done: ours where they can do it,
// or the library's always.
enum class Records : std::uint8_t { kOwn, kLibrary };

class Record13;

class TlsSession {
 public:
  // Contexts only. Takes the SSL; `scratch` (kScratchBytes) is shared by the sessions of a context:
  // one half is read into, the other gathers what is written, so that a sink may cause a write.
  // `context`: kept until the session's end; null: it outlives it anyway.
  TlsSession(SSL* ssl, Source peer, Records records, std::span<char> scratch,
             std::shared_ptr<const void> context = nullptr);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  SessionState state() const { return state_; }
  // With kFailed: kUntrusted for a certificate, else kProtocol; `what` is the library's static
  // text.
  const Error& error() const { return error_; }

  // Client: writes the first flight. Called once.
  Result<void> start(CipherOut& out);
  // Takes all of the peer's bytes; the sink is called for what they decrypt to, `out` gets
  // handshake flights and alerts.
  SessionState feed(std::span<char> ciphertext, PlainSink& sink, CipherOut& out);
  // feed() or write() is near: asks for the memory of the session's own record layer. Changes
  // nothing.
  void foresee() const;
  // Seals: small pieces share a record, long ones fill records of 16 KiB. REQUIRES: kOpen or
  // kClosed.
  Result<void> write(std::span<const std::string_view> plain, CipherOut& out);
  // Says goodbye; the peer may still be read. REQUIRES: no write() after it.
  void close_notify(CipherOut& out);

  // Once open: the negotiated protocol ("h2", "http/1.1" or empty), whether an earlier session was
  // resumed, and the version as in the record layer (0x0303, 0x0304).
  std::string_view alpn() const;
  bool is_resumed() const;
  std::uint16_t version() const;
  // Whether the session has left the library.
  bool has_own_records() const { return own_ != nullptr; }
  // Whether it could go to another shard: open, out of the library and between two records.
  bool can_detach() const;
  // The same session without a context, which any thread may own and use, one at a time; this one
  // is kClosed and knows no secret any more. REQUIRES: can_detach().
  std::unique_ptr<TlsSession> detach();

  static constexpr std::size_t kRecordBytes = 16 * 1024;  // RFC 8446, 5.1
  static constexpr std::size_t kScratchBytes = 2 * kRecordBytes;

 private:
  friend struct SessionBio;
  friend struct OutScope;
  friend class ClientContext;
  explicit TlsSession(Source peer);
  void read_plain(PlainSink& sink);
  void set_failed();
  void follow_own();
  Error protocol_error(const char* what) const;
  bool write_record(std::string_view plain);
  Result<void> write_by_library(std::span<const std::string_view> plain, CipherOut& out);
  void try_leave(CipherOut& out);
  bool can_leave() const;
  bool is_detached() const { return ssl_ == nullptr && own_ == nullptr; }

  const std::shared_ptr<const void> context_;
  SSL* ssl_;                       // null once it was left
  std::unique_ptr<Record13> own_;  // not null from then on
  std::span<char> read_scratch_;
  std::span<char> write_scratch_;
  // During a call only: what the library reads from and writes to.
  std::span<char> in_;
  CipherOut* out_ = nullptr;
  Error error_;
  const Source peer_;
  SessionState state_ = SessionState::kHandshaking;
  Records records_;
  bool ready_to_leave_ = false;
  bool expects_ticket_ = false;  // a client's, until it was started
  // Kept from the handshake, once the library was left.
  bool resumed_ = false;
  std::uint8_t alpn_size_ = 0;
  std::array<char, 12> alpn_;
};

}  // namespace leat::tls
