// SPDX-License-Identifier: Apache-2.0
#include "tls/session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/prefetch.h"
#include "tls/bio.h"
#include "tls/context.h"
#include "tls/record13.h"

#ifndef OPENSSL_IS_BORINGSSL
#error "the headers of BoringSSL are needed, not OpenSSL's"
#endif

namespace leat::tls {

// The library's view of the connection: reads come from the slice being fed, writes go to the
// turn's output. Nothing is buffered here; a part of a record that has come is kept by the library.
struct SessionBio {
  static int read(BIO* bio, char* to, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (session->in_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t taken = std::min(static_cast<std::size_t>(size), session->in_.size());
    std::memcpy(to, session->in_.data(), taken);
    session->in_ = session->in_.subspan(taken);
    return static_cast<int>(taken);
  }
  static int write(BIO* bio, const char* from, int size) {
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (session->out_ == nullptr) return -1;
    session->out_->append({from, static_cast<std::size_t>(size)});
    return size;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static int create(BIO* bio) {
    BIO_set_init(bio, 1);
    return 1;
  }
};

// Where the library's output goes during a call. A sink that is being fed may write: the feeding
// goes on with its own output afterwards, since an answer to a KeyUpdate or an alert may follow.
struct OutScope {
  OutScope(TlsSession& of, CipherOut& out) : session(of), before(of.out_) { of.out_ = &out; }
  ~OutScope() { session.out_ = before; }
  OutScope(const OutScope&) = delete;
  OutScope& operator=(const OutScope&) = delete;
  TlsSession& session;
  CipherOut* before;
};

BIO_METHOD* new_session_bio_method() {
  BIO_METHOD* method = BIO_meth_new(0, "leat");
  LEAT_CHECK(method != nullptr);
  BIO_meth_set_read(method, SessionBio::read);
  BIO_meth_set_write(method, SessionBio::write);
  BIO_meth_set_ctrl(method, SessionBio::control);
  BIO_meth_set_create(method, SessionBio::create);
  return method;
}

TlsSession::TlsSession(SSL* ssl, Source peer, Records records, std::span<char> scratch,
                       std::shared_ptr<const void> context)
    : context_(std::move(context)),
      ssl_(ssl),
      read_scratch_(scratch.first(kRecordBytes)),
      write_scratch_(scratch.last(kRecordBytes)),
      peer_(peer),
      records_(records) {
  BIO_set_data(SSL_get_rbio(ssl_), this);
}

// A detached one.
TlsSession::TlsSession(Source peer) : ssl_(nullptr), peer_(peer), records_(Records::kOwn) {}

TlsSession::~TlsSession() {
  if (expects_ticket_) ClientContext::expect_no_more(ssl_);
  SSL_free(ssl_);
}

Result<void> TlsSession::start(CipherOut& out) {
  if (std::exchange(expects_ticket_, false)) ClientContext::show_ticket(ssl_);
  const OutScope scope(*this, out);
  const int result = SSL_do_handshake(ssl_);
  if (result <= 0 && SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) {
    set_failed();
    return fail(error_);
  }
  return {};
}

void TlsSession::foresee() const {
  if (own_ != nullptr) prefetch(*own_);
}

SessionState TlsSession::feed(std::span<char> ciphertext, PlainSink& sink, CipherOut& out) {
  if (state_ == SessionState::kFailed || state_ == SessionState::kClosed) return state_;
  in_ = ciphertext;
  if (own_ == nullptr) {
    const OutScope scope(*this, out);
    if (state_ == SessionState::kHandshaking) {
      const int result = SSL_do_handshake(ssl_);
      if (result == 1) {
        state_ = SessionState::kOpen;
      } else if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) {
        set_failed();
      }
    }
    if (state_ == SessionState::kOpen) read_plain(sink);
  }
  // It may have been left on the way, which it is between two records only.
  if (own_ != nullptr) {
    own_->feed(in_, sink, out);
    follow_own();
  }
  in_ = {};
  return state_;
}

void TlsSession::read_plain(PlainSink& sink) {
  while (ssl_ != nullptr) {
    const int size = SSL_read(ssl_, read_scratch_.data(), static_cast<int>(read_scratch_.size()));
    if (size > 0) {
      if (peer_ == Source::kUpstream) ready_to_leave_ = true;
      sink.on_plain(read_scratch_.first(static_cast<std::size_t>(size)));
      try_leave(*out_);
      continue;
    }
    switch (SSL_get_error(ssl_, size)) {
      case SSL_ERROR_WANT_READ:
        return;
      case SSL_ERROR_ZERO_RETURN:
        state_ = SessionState::kClosed;
        return;
      default:
        set_failed();
        return;
    }
  }
}

// ---- Leaving the library -----------------------------------------------------------------------

bool TlsSession::can_leave() const {
  // Nothing of a coming record in its buffer, no goodbye on its way.
  return state_ == SessionState::kOpen && SSL_has_pending(ssl_) == 0 && SSL_get_shutdown(ssl_) == 0;
}

void TlsSession::try_leave(CipherOut& out) {
  if (!ready_to_leave_ || records_ == Records::kLibrary || ssl_ == nullptr || !can_leave()) return;
  const std::uint16_t suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl_));
  if (SSL_version(ssl_) != TLS1_3_VERSION || !is_known_suite(suite) ||
      SSL_early_data_accepted(ssl_) != 0 || alpn().size() > alpn_.size()) {
    records_ = Records::kLibrary;
    return;
  }
  {
    // Tickets and the answer to a KeyUpdate wait for a write; an empty one takes them along and has
    // no record of its own.
    const OutScope scope(*this, out);
    SSL_write(ssl_, "", 0);
    ERR_clear_error();
  }
  bssl::Span<const std::uint8_t> read_secret;
  bssl::Span<const std::uint8_t> write_secret;
  TrafficState read{.suite = Suite{suite}, .sequence = SSL_get_read_sequence(ssl_)};
  TrafficState write{.suite = Suite{suite}, .sequence = SSL_get_write_sequence(ssl_)};
  if (!bssl::SSL_get_traffic_secrets(ssl_, &read_secret, &write_secret) ||
      read_secret.size() > read.secret.size() || write_secret.size() > write.secret.size()) {
    ERR_clear_error();
    records_ = Records::kLibrary;
    return;
  }
  std::copy(read_secret.begin(), read_secret.end(), read.secret.begin());
  std::copy(write_secret.begin(), write_secret.end(), write.secret.begin());
  const auto role = peer_ == Source::kUpstream ? Record13::Role::kClient : Record13::Role::kServer;
  own_ = std::make_unique<Record13>(role, read, write);
  OPENSSL_cleanse(&read, sizeof read);
  OPENSSL_cleanse(&write, sizeof write);
  const std::string_view name = alpn();
  std::copy(name.begin(), name.end(), alpn_.begin());
  alpn_size_ = static_cast<std::uint8_t>(name.size());
  resumed_ = is_resumed();
  SSL_free(ssl_);
  ssl_ = nullptr;
}

bool TlsSession::can_detach() const {
  return state_ == SessionState::kOpen && own_ != nullptr && own_->held_bytes() == 0;
}

std::unique_ptr<TlsSession> TlsSession::detach() {
  LEAT_CHECK(can_detach());
  std::unique_ptr<TlsSession> detached(new TlsSession(peer_));
  detached->own_ = std::move(own_);
  detached->state_ = state_;
  detached->resumed_ = resumed_;
  detached->alpn_ = alpn_;
  detached->alpn_size_ = alpn_size_;
  state_ = SessionState::kClosed;
  return detached;
}

// What became of our records is what becomes of the session.
void TlsSession::follow_own() {
  state_ = own_->state();
  if (state_ == SessionState::kFailed) error_ = protocol_error(own_->fault());
}

Error TlsSession::protocol_error(const char* what) const {
  return {Code::kProtocol, peer_,
          peer_ == Source::kUpstream ? Retry::kOtherUpstream : Retry::kNever, 0, what};
}

void TlsSession::set_failed() {
  state_ = SessionState::kFailed;
  // The newest: what made the certificate fail stands before it.
  const std::uint32_t reason = ERR_peek_last_error();
  const bool certificate = ERR_GET_LIB(reason) == ERR_LIB_SSL &&
                           ERR_GET_REASON(reason) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  const char* what = certificate ? X509_verify_cert_error_string(SSL_get_verify_result(ssl_))
                                 : ERR_reason_error_string(reason);
  if (certificate && SSL_get_verify_result(ssl_) == X509_V_ERR_APPLICATION_VERIFICATION) {
    what = "a key or a signature of the certificate chain is too weak";
  }
  error_ = protocol_error(what != nullptr ? what : "the peer ended the TLS handshake");
  if (certificate) error_.code = Code::kUntrusted;
  // The queue is the thread's: what stays in it would be taken for the next session's.
  ERR_clear_error();
}

bool TlsSession::write_record(std::string_view plain) {
  return SSL_write(ssl_, plain.data(), static_cast<int>(plain.size())) ==
         static_cast<int>(plain.size());
}

Result<void> TlsSession::write(std::span<const std::string_view> plain, CipherOut& out) {
  // Who has said goodbye may still read.
  if (state_ != SessionState::kOpen && state_ != SessionState::kClosed) return {};
  if (is_detached()) return {};
  if (own_ == nullptr && state_ == SessionState::kOpen) {
    if (peer_ == Source::kDownstream) ready_to_leave_ = true;
    try_leave(out);
  }
  if (own_ == nullptr) return write_by_library(plain, out);
  own_->write(plain, out);
  return {};
}

Result<void> TlsSession::write_by_library(std::span<const std::string_view> plain, CipherOut& out) {
  const OutScope scope(*this, out);
  std::size_t gathered = 0;
  bool ok = true;
  for (std::size_t i = 0; i < plain.size() && ok; ++i) {
    std::string_view piece = plain[i];
    while (!piece.empty() && ok) {
      // A full record straight from where it lies, when nothing waits to go before it.
      if (gathered == 0 && (piece.size() >= kRecordBytes || i + 1 == plain.size())) {
        const std::string_view record = piece.substr(0, kRecordBytes);
        ok = write_record(record);
        piece.remove_prefix(record.size());
        continue;
      }
      const std::size_t taken = std::min(piece.size(), kRecordBytes - gathered);
      std::memcpy(write_scratch_.data() + gathered, piece.data(), taken);
      gathered += taken;
      piece.remove_prefix(taken);
      if (gathered < kRecordBytes) continue;
      ok = write_record({write_scratch_.data(), gathered});
      gathered = 0;
    }
  }
  if (ok && gathered > 0) ok = write_record({write_scratch_.data(), gathered});
  if (ok) return {};
  set_failed();
  return fail(error_);
}

void TlsSession::close_notify(CipherOut& out) {
  if (state_ != SessionState::kOpen && state_ != SessionState::kClosed) return;
  if (is_detached()) return;
  if (own_ != nullptr) return own_->close_notify(out);
  const OutScope scope(*this, out);
  if (SSL_shutdown(ssl_) < 0) ERR_clear_error();
}

std::string_view TlsSession::alpn() const {
  if (ssl_ == nullptr) return {alpn_.data(), alpn_size_};
  const std::uint8_t* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsSession::is_resumed() const {
  if (ssl_ == nullptr) return resumed_;
  return SSL_session_reused(ssl_) != 0;
}

std::uint16_t TlsSession::version() const {
  if (ssl_ == nullptr) return TLS1_3_VERSION;
  return static_cast<std::uint16_t>(SSL_version(ssl_));
}

}  // namespace leat::tls
