// SPDX-License-Identifier: Apache-2.0
#include "proto/http1_write.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "proto/http1_bytes.h"
#include "proto/request_fields.h"

namespace leat::proto {
namespace {

// A reason phrase is for people; clients read the number. Those we send (RFC 9110 15, RFC 6585).
struct Reason {
  int status;
  std::string_view text;
};
constexpr Reason kReasons[] = {
    {200, "OK"},
    {204, "No Content"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

// For others, a provider's own status passed on, the phrase is left empty (RFC 9112 4).
std::string_view reason_of(int status) {
  for (const Reason& reason : kReasons) {
    if (reason.status == status) return reason.text;
  }
  return "";
}

// Fields of a request in the spelling of HTTP/1.1.
struct Http1Fields {
  HeadWriter& head;

  template <class Value>
  void own_field(const OwnFieldName& name, Value value) {
    head.own_field(name.http1, value);
  }
  void field(std::string_view name, std::string_view value) { head.field(name, value); }
  void bearer(std::string_view secret) { head.bearer(secret); }
};

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

void write_connection(HeadWriter& writer, const ResponseOptions& options) {
  if (!options.keep_alive || options.framing == BodyFraming::kUntilClose) {
    writer.own_field("Connection", "close");
  } else if (options.http10) {
    writer.own_field("Connection", "keep-alive");
  }
}

void write_framing(HeadWriter& writer, const ResponseOptions& options) {
  switch (options.framing) {
    case BodyFraming::kLength:
      writer.own_field("Content-Length", options.content_length);
      break;
    case BodyFraming::kChunked:
      writer.own_field("Transfer-Encoding", "chunked");
      break;
    case BodyFraming::kUntilClose:
    case BodyFraming::kNone:
      break;
  }
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_token_byte(static_cast<unsigned char>(c));
  });
}

bool is_safe_field_value(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  if (text.empty()) return true;
  if (is_space(text.front()) || is_space(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_value_byte(static_cast<unsigned char>(c)); });
}

bool is_safe_target(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_visible_byte(static_cast<unsigned char>(c));
  });
}

char* HeadWriter::room(std::size_t bytes) {
  if (!failed_ && bytes > into_.size() - size_) {
    failed_ = true;
    error_ = {.code = Code::kTooLarge, .what = "the head does not fit its memory"};
  }
  if (failed_) return nullptr;
  char* const at = into_.data() + size_;
  size_ += bytes;
  return at;
}

void HeadWriter::invalid(const char* what) {
  if (failed_) return;
  failed_ = true;
  error_ = {.code = Code::kInvalid, .what = what};
}

HeadWriter& HeadWriter::status_line(int status) {
  if (status < 100 || status > 599) {
    invalid("status out of range");
    return *this;
  }
  const std::string_view reason = reason_of(status);
  if (char* at = room(9 + 3 + 1 + reason.size() + 2)) {
    at = put(at, "HTTP/1.1 ");
    *at++ = static_cast<char>('0' + status / 100);
    *at++ = static_cast<char>('0' + status / 10 % 10);
    *at++ = static_cast<char>('0' + status % 10);
    *at++ = ' ';
    put(put(at, reason), "\r\n");
  }
  return *this;
}

HeadWriter& HeadWriter::request_line(std::string_view method, std::string_view target) {
  constexpr std::string_view kEnd = " HTTP/1.1\r\n";
  if (!is_token(method)) invalid("method is not a token");
  if (!is_safe_target(target)) invalid("request target is unsafe");
  if (char* at = room(method.size() + 1 + target.size() + kEnd.size())) {
    at = put(at, method);
    *at++ = ' ';
    put(put(at, target), kEnd);
  }
  return *this;
}

HeadWriter& HeadWriter::field(std::string_view name, std::string_view value) {
  if (!is_token(name)) invalid("field name is not a token");
  return own_field(name, value);
}

HeadWriter& HeadWriter::own_field(std::string_view name, std::string_view value) {
  LEAT_DCHECK(failed_ || is_token(name));
  if (!is_safe_field_value(value)) invalid("field value is unsafe");
  put_field(name, value);
  return *this;
}

HeadWriter& HeadWriter::own_field(std::string_view name, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  LEAT_CHECK(error == std::errc());
  put_field(name, {digits.data(), static_cast<std::size_t>(end - digits.data())});
  return *this;
}

void HeadWriter::put_field(std::string_view name, std::string_view value) {
  if (char* at = room(name.size() + 2 + value.size() + 2)) {
    put(put(put(put(at, name), ": "), value), "\r\n");
  }
}

HeadWriter& HeadWriter::bearer(std::string_view secret) {
  constexpr std::string_view kName = "Authorization: Bearer ";
  if (secret.empty() || !is_safe_field_value(secret)) invalid("secret is unsafe");
  if (char* at = room(kName.size() + secret.size() + 2)) {
    put(put(put(at, kName), secret), "\r\n");
  }
  return *this;
}

Result<std::string_view> HeadWriter::finish() {
  if (char* at = room(2)) put(at, "\r\n");
  if (failed_) return fail(error_);
  return std::string_view(into_.data(), size_);
}

Result<std::string_view> write_response_head(std::span<char> into, const ResponseOptions& options) {
  HeadWriter writer(into);
  writer.status_line(options.status);
  if (!options.content_type.empty()) writer.own_field("Content-Type", options.content_type);
  write_framing(writer, options);
  write_connection(writer, options);
  for (const Field& field : options.fields) writer.own_field(field.name, field.value);
  return writer.finish();
}

Result<std::string_view> write_sse_head(std::span<char> into, const ResponseOptions& options) {
  HeadWriter writer(into);
  writer.status_line(options.status);
  writer.own_field("Content-Type", "text/event-stream");
  writer.own_field("Cache-Control", "no-cache");
  // Asks nginx and its like in front of us not to gather events.
  writer.own_field("X-Accel-Buffering", "no");
  write_framing(writer, options);
  write_connection(writer, options);
  for (const Field& field : options.fields) writer.own_field(field.name, field.value);
  return writer.finish();
}

Result<std::string_view> write_request_head(std::span<char> into, const RequestOptions& options) {
  HeadWriter writer(into);
  writer.request_line(options.method, options.target);
  writer.own_field("Host", options.host);
  Http1Fields fields{writer};
  write_request_fields(options, fields);
  return writer.finish();
}

std::size_t write_chunk_header(std::span<char, kChunkHeaderBytesMax> reserve,
                               std::uint32_t payload_bytes) {
  LEAT_CHECK(payload_bytes > 0);
  constexpr char kDigits[] = "0123456789abcdef";
  char* at = reserve.data() + reserve.size();
  *--at = '\n';
  *--at = '\r';
  for (std::uint32_t rest = payload_bytes; rest != 0; rest >>= 4) *--at = kDigits[rest & 15];
  return static_cast<std::size_t>(reserve.data() + reserve.size() - at);
}

}  // namespace leat::proto
