// SPDX-License-Identifier: Apache-2.0
#include "tls/record13.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace leat::tls {

// RFC 8446, 6.
enum class Record13::Alert : std::uint8_t {
  kCloseNotify = 0,
  kUnexpectedMessage = 10,
  kBadRecordMac = 20,
  kRecordOverflow = 22,
  kIllegalParameter = 47,
  kDecodeError = 50,
  kUserCanceled = 90
};

namespace {

constexpr std::uint8_t kNewSessionTicket = 4;
constexpr std::uint8_t kKeyUpdate = 24;
constexpr std::size_t kMessageHeaderBytes = 4;
// Levels of alerts.
constexpr char kWarning = 1;
constexpr char kFatal = 2;

std::size_t body_size(const char* header) {
  return static_cast<std::size_t>(static_cast<std::uint8_t>(header[3])) << 8 |
         static_cast<std::uint8_t>(header[4]);
}

// Pieces one after the other; none is empty when it is looked at.
class Pieces {
 public:
  explicit Pieces(std::span<const std::string_view> all) : rest_(all) { next(); }
  // The next `size` bytes where they lie, or null if no single piece has them all.
  const char* take_whole(std::size_t size) {
    if (piece_.size() < size) return nullptr;
    const char* at = piece_.data();
    drop(size);
    return at;
  }
  void copy(char* to, std::size_t size) {
    while (size > 0) {
      const std::size_t taken = std::min(size, piece_.size());
      std::memcpy(to, piece_.data(), taken);
      to += taken;
      size -= taken;
      drop(taken);
    }
  }

 private:
  void drop(std::size_t size) {
    piece_.remove_prefix(size);
    next();
  }
  void next() {
    while (piece_.empty() && !rest_.empty()) {
      piece_ = rest_.front();
      rest_ = rest_.subspan(1);
    }
  }
  std::string_view piece_;
  std::span<const std::string_view> rest_;
};

}  // namespace

Record13::Record13(Role role, const TrafficState& read, const TrafficState& write,
                   std::uint64_t records_per_key)
    : read_(read), write_(write), records_per_key_(records_per_key), role_(role) {}

// ---- Reading -----------------------------------------------------------------------------------

SessionState Record13::feed(std::span<char> bytes, PlainSink& sink, CipherOut& out) {
  while (state_ == SessionState::kOpen && !bytes.empty()) {
    if (held_ > 0 || bytes.size() < kRecordHeaderBytes) {
      bytes = collect(bytes, sink, out);
      continue;
    }
    if (!accept_header(bytes.data(), out)) break;
    const std::size_t size = kRecordHeaderBytes + body_size(bytes.data());
    if (bytes.size() < size) {
      bytes = collect(bytes, sink, out);
      continue;
    }
    open(bytes.first(size), sink, out);
    bytes = bytes.subspan(size);
  }
  return state_;
}

// Judged before the body has come: nobody makes us wait for what we would refuse. The version is
// not looked at (RFC 8446, 5.1); the seal covers it.
bool Record13::accept_header(const char* header, CipherOut& out) {
  if (static_cast<std::uint8_t>(header[0]) != static_cast<std::uint8_t>(ContentType::kData)) {
    fail(Alert::kUnexpectedMessage, "a record that is not sealed", out);
    return false;
  }
  if (body_size(header) > kBodyBytesMax) {
    fail(Alert::kRecordOverflow, "a record that is too long", out);
    return false;
  }
  return true;
}

// Takes what belongs to the record that is held; opens it when it is whole. Returns what is behind.
std::span<char> Record13::collect(std::span<char> bytes, PlainSink& sink, CipherOut& out) {
  if (scratch_ == nullptr) {
    const std::size_t taken = std::min(kRecordHeaderBytes - held_, bytes.size());
    std::memcpy(header_.data() + held_, bytes.data(), taken);
    held_ += taken;
    bytes = bytes.subspan(taken);
    if (held_ < kRecordHeaderBytes || !accept_header(header_.data(), out)) return {};
    scratch_.reset(new char[kRecordHeaderBytes + body_size(header_.data())]);
    std::memcpy(scratch_.get(), header_.data(), kRecordHeaderBytes);
  }
  const std::size_t size = kRecordHeaderBytes + body_size(header_.data());
  const std::size_t taken = std::min(size - held_, bytes.size());
  std::memcpy(scratch_.get() + held_, bytes.data(), taken);
  held_ += taken;
  if (held_ < size) return {};
  const std::unique_ptr<char[]> record = std::move(scratch_);
  held_ = 0;
  open({record.get(), size}, sink, out);
  return bytes.subspan(taken);
}

void Record13::open(std::span<char> record, PlainSink& sink, CipherOut& out) {
  const auto opened = read_.open(record);
  if (!opened) return fail(Alert::kBadRecordMac, "a record whose seal is not the peer's", out);
  if (*opened > kPlainBytesMax + 1) {
    return fail(Alert::kRecordOverflow, "a record that is too long", out);
  }
  if (read_.sequence() >= records_per_key_ && !asked_ && update_due_ == Update::kNone) {
    asked_ = true;
    update_due_ = Update::kAsk;
  }
  // Content, its type, zeros (RFC 8446, 5.4).
  std::span<char> content = record.subspan(kRecordHeaderBytes, *opened);
  while (!content.empty() && content.back() == 0) content = content.first(content.size() - 1);
  if (content.empty()) {
    return fail(Alert::kUnexpectedMessage, "a record without a content type", out);
  }
  const auto type = static_cast<std::uint8_t>(content.back());
  content = content.first(content.size() - 1);
  if (type == static_cast<std::uint8_t>(ContentType::kHandshake)) return on_handshake(content, out);
  // RFC 8446, 5.1: nothing stands between the parts of a message.
  if (message_size_ > 0 || skip_ > 0) {
    return fail(Alert::kUnexpectedMessage, "a handshake message is interrupted", out);
  }
  if (type == static_cast<std::uint8_t>(ContentType::kData)) return on_data(content, sink, out);
  if (type == static_cast<std::uint8_t>(ContentType::kAlert)) return on_alert(content, out);
  fail(Alert::kUnexpectedMessage, "a record of an unknown content type", out);
}

void Record13::on_data(std::span<char> plain, PlainSink& sink, CipherOut& out) {
  if (plain.empty()) {
    if (++empty_records_ <= kEmptyRecordsMax) return;
    return fail(Alert::kUnexpectedMessage, "too many empty records", out);
  }
  empty_records_ = warnings_ = 0;
  if (messages_ > 0 && ++data_records_ >= kRecordsPerMessage) {
    data_records_ = 0;
    --messages_;
  }
  sink.on_plain(plain);
}

void Record13::on_alert(std::span<const char> body, CipherOut& out) {
  if (body.size() != 2) return fail(Alert::kDecodeError, "a damaged alert", out);
  // How grave it is follows from what it says (RFC 8446, 6).
  const auto alert = static_cast<std::uint8_t>(body[1]);
  if (alert == static_cast<std::uint8_t>(Alert::kCloseNotify)) {
    state_ = SessionState::kClosed;
    return;
  }
  if (alert == static_cast<std::uint8_t>(Alert::kUserCanceled) && body[0] == kWarning) {
    if (++warnings_ <= kWarningsMax) return;
    return fail(Alert::kUnexpectedMessage, "too many alerts", out);
  }
  state_ = SessionState::kFailed;
  fault_ = SSL_alert_desc_string_long(alert);
}

void Record13::on_handshake(std::span<const char> body, CipherOut& out) {
  if (body.empty()) return fail(Alert::kUnexpectedMessage, "an empty handshake record", out);
  while (!body.empty()) {
    if (skip_ > 0) {
      const std::size_t skipped = std::min<std::size_t>(skip_, body.size());
      skip_ -= static_cast<std::uint32_t>(skipped);
      body = body.subspan(skipped);
      continue;
    }
    message_[message_size_++] = static_cast<std::uint8_t>(body.front());
    body = body.subspan(1);
    if (message_size_ == kMessageHeaderBytes && !begin_message(out)) return;
    if (message_size_ <= kMessageHeaderBytes) continue;
    // RFC 8446, 5.1: a message before a change of keys ends its record.
    if (!body.empty()) {
      return fail(Alert::kUnexpectedMessage, "a record goes on behind a KeyUpdate", out);
    }
    on_key_update(out);
  }
}

// Type and length of a message are there: a KeyUpdate is waited for, a ticket passed over. False:
// it is neither.
bool Record13::begin_message(CipherOut& out) {
  const std::uint32_t size = static_cast<std::uint32_t>(message_[1]) << 16 |
                             static_cast<std::uint32_t>(message_[2]) << 8 | message_[3];
  if (++messages_ > kMessagesMax) {
    fail(Alert::kUnexpectedMessage, "too many KeyUpdates or tickets", out);
    return false;
  }
  if (message_[0] == kKeyUpdate) {
    if (size == 1) return true;
    fail(Alert::kDecodeError, "a damaged KeyUpdate", out);
    return false;
  }
  if (message_[0] != kNewSessionTicket || role_ == Role::kServer) {
    fail(Alert::kUnexpectedMessage, "an unexpected handshake message", out);
    return false;
  }
  if (size > kTicketBytesMax) {
    fail(Alert::kIllegalParameter, "a ticket that is too long", out);
    return false;
  }
  message_size_ = 0;
  skip_ = size;
  return true;
}

void Record13::on_key_update(CipherOut& out) {
  const std::uint8_t asks = message_[kMessageHeaderBytes];
  message_size_ = 0;
  if (asks > 1) return fail(Alert::kIllegalParameter, "a damaged KeyUpdate", out);
  read_.update();
  asked_ = false;
  if (update_due_ == Update::kAsk) update_due_ = Update::kNone;
  // Sent before the next data; one answers for all that came in the meantime (RFC 8446, 4.6.3).
  if (asks == 1) update_due_ = Update::kAnswer;
}

// ---- Writing -----------------------------------------------------------------------------------

void Record13::send(ContentType type, std::string_view body, CipherOut& out) {
  write_.seal(type, body, out.extend(body.size() + kRecordExtraBytes));
}

void Record13::send_key_update(CipherOut& out) {
  const char asks = update_due_ == Update::kAsk ? 1 : 0;
  const char message[] = {kKeyUpdate, 0, 0, 1, asks};
  send(ContentType::kHandshake, {message, sizeof message}, out);
  write_.update();
  update_due_ = Update::kNone;
}

void Record13::write(std::span<const std::string_view> plain, CipherOut& out) {
  if (state_ == SessionState::kFailed || write_closed_) return;
  std::size_t rest = 0;
  for (const std::string_view piece : plain) rest += piece.size();
  Pieces pieces(plain);
  while (rest > 0) {
    if (update_due_ != Update::kNone || write_.sequence() >= records_per_key_) send_key_update(out);
    const std::size_t size = std::min(rest, kPlainBytesMax);
    rest -= size;
    char* record = out.extend(size + kRecordExtraBytes);
    const char* from = pieces.take_whole(size);
    if (from == nullptr) {
      from = record + kRecordHeaderBytes;
      pieces.copy(record + kRecordHeaderBytes, size);
    }
    write_.seal(ContentType::kData, {from, size}, record);
  }
}

void Record13::close_notify(CipherOut& out) {
  if (state_ == SessionState::kFailed || write_closed_) return;
  const char body[] = {kWarning, static_cast<char>(Alert::kCloseNotify)};
  send(ContentType::kAlert, {body, sizeof body}, out);
  write_closed_ = true;
}

void Record13::fail(Alert alert, const char* what, CipherOut& out) {
  state_ = SessionState::kFailed;
  fault_ = what;
  scratch_.reset();
  held_ = 0;
  if (write_closed_) return;
  const char body[] = {kFatal, static_cast<char>(alert)};
  send(ContentType::kAlert, {body, sizeof body}, out);
  write_closed_ = true;
}

}  // namespace leat::tls
