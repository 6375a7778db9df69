// SPDX-License-Identifier: Apache-2.0
// Writers of HTTP/1.1 heads and chunk frames into memory of the caller's, bounded, without
// allocation. Nothing unsafe can be written: a name that is no token or a value with CR, LF, NUL
// or another control byte makes the whole head an Error{kInvalid}; too little room is
// Error{kTooLarge}. In both cases the output is to be thrown away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "proto/http1_field.h"

namespace leat::proto {

// RFC 9110 5.6.2: at least one tchar and nothing else.
bool is_token(std::string_view text);
// What may stand as a field value: HTAB, SP, visible ASCII, bytes from 0x80 on; no white space at
// either end (it would not survive the trip).
bool is_safe_field_value(std::string_view text);
// What may stand as a request target: one or more visible ASCII bytes.
bool is_safe_target(std::string_view text);

// A bounded appender whose first error sticks; finish() gives the head or that error.
class HeadWriter {
 public:
  explicit HeadWriter(std::span<char> into) : into_(into) {}

  HeadWriter& status_line(int status);
  HeadWriter& request_line(std::string_view method, std::string_view target);
  HeadWriter& field(std::string_view name, std::string_view value);
  HeadWriter& field(const Field& f) { return field(f.name, f.value); }
  // The name is one that stands in our code; the value is looked at all the same. REQUIRES: a
  // token.
  HeadWriter& own_field(std::string_view name, std::string_view value);
  HeadWriter& own_field(std::string_view name, std::uint64_t value);
  // "Authorization: Bearer <secret>", without the secret being put together elsewhere first.
  HeadWriter& bearer(std::string_view secret);
  // The empty line; the head, a view into the caller's memory.
  Result<std::string_view> finish();

 private:
  char* room(std::size_t bytes);
  void put_field(std::string_view name, std::string_view value);
  void invalid(const char* what);

  std::span<char> into_;
  std::size_t size_ = 0;
  Error error_{};
  bool failed_ = false;
};

// How the other side will know where the body ends.
enum class BodyFraming : std::uint8_t { kLength, kChunked, kUntilClose, kNone };

struct ResponseOptions {
  int status = 200;
  BodyFraming framing = BodyFraming::kLength;
  std::uint64_t content_length = 0;  // with kLength
  std::string_view content_type = "application/json";
  bool keep_alive = true;  // kUntilClose closes whatever this says
  bool http10 = false;     // the client's version: keep-alive must be said to a 1.0 client
  std::span<const Field> fields = {};  // x-request-id and what else we choose: names of our code
};
// A whole answer's head: status line, Content-Type, framing, Connection, then `fields`.
Result<std::string_view> write_response_head(std::span<char> into, const ResponseOptions& options);
// The same for a stream of events: text/event-stream, never cached, never buffered by proxies;
// `content_type` is not looked at. `framing` is kChunked for HTTP/1.1 clients, kUntilClose for 1.0.
Result<std::string_view> write_sse_head(std::span<char> into, const ResponseOptions& options);

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Who we are to a provider.
inline constexpr std::string_view kUserAgent = "leat/0.1";

struct RequestOptions {
  std::string_view method = "POST";
  std::string_view target;                             // from our own table, never from the client
  std::string_view host;                               // with port unless it is the default
  std::string_view bearer;                             // provider key; empty: no Authorization
  std::optional<std::uint64_t> content_length;         // none: no body
  std::string_view content_type = "application/json";  // written with a body only
  std::string_view accept = "application/json";
  std::span<const Field> fields = {};  // by the operator's or the dialect's choice, as they stand
  const FieldList* client = nullptr;   // kForwardedFields of these go along
};
// Host, User-Agent, Accept, Accept-Encoding: identity, Authorization, Content-*, then the rest.
Result<std::string_view> write_request_head(std::span<char> into, const RequestOptions& options);

// Chunk framing around a payload that already stands in place: reserve kChunkHeaderBytesMax bytes
// before it, kChunkEnd after it.
inline constexpr std::size_t kChunkHeaderBytesMax = 10;  // 8 digits, CRLF
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// Writes "%x\r\n" right-aligned into the reserve, so that it touches the payload; returns its
// length. REQUIRES: payload_bytes > 0 (0 would end the body).
std::size_t write_chunk_header(std::span<char, kChunkHeaderBytesMax> reserve,
                               std::uint32_t payload_bytes);

}  // namespace leat::proto
