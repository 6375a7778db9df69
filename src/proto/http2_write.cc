// SPDX-License-Identifier: Apache-2.0
#include "proto/http2_write.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "proto/request_fields.h"

namespace leat::proto {

namespace {

constexpr std::array<std::string_view, 7> kConnectionFields = {
    "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "host"};

// Appends to the caller's array and memory; the first error sticks.
class FieldLister {
 public:
  FieldLister(std::span<char> room, std::span<Http2Field> into) : room_(room), into_(into) {}

  void add(std::string_view name, std::string_view value, bool is_secret = false) {
    if (!is_safe_field_value(value)) return set_error(Code::kInvalid, "field value is unsafe");
    if (count_ == into_.size()) return too_large();
    into_[count_++] = {name, value, is_secret};
  }
  void own_field(const OwnFieldName& name, std::string_view value) { add(name.http2, value); }
  void own_field(const OwnFieldName& name, std::uint64_t number) {
    const std::span<char> digits = take(20);
    if (digits.empty()) return;
    const char* const end = std::to_chars(digits.data(), digits.data() + 20, number).ptr;
    add(name.http2, {digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  // A name in whatever case it stands in.
  void field(std::string_view name, std::string_view value) {
    if (!is_token(name)) return set_error(Code::kInvalid, "field name is not a token");
    const std::span<char> lower = take(name.size());
    if (lower.empty()) return;
    std::ranges::transform(name, lower.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const std::string_view written(lower.data(), lower.size());
    if (is_connection_field(written)) {
      return set_error(Code::kInvalid, "a field of a connection has no place in HTTP/2");
    }
    add(written, value);
  }
  void bearer(std::string_view secret) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::span<char> value = take(kScheme.size() + secret.size());
    if (value.empty()) return;
    kScheme.copy(value.data(), kScheme.size());
    secret.copy(value.data() + kScheme.size(), secret.size());
    add("authorization", {value.data(), value.size()}, true);
  }
  void set_error(Code code, const char* what) {
    if (failed_) return;
    failed_ = true;
    error_ = {.code = code, .what = what};
  }
  Result<std::span<const Http2Field>> finish() const {
    if (failed_) return fail(error_);
    return std::span<const Http2Field>(into_.first(count_));
  }

 private:
  void too_large() { set_error(Code::kTooLarge, "the head does not fit its memory"); }
  std::span<char> take(std::size_t size) {
    if (size > room_.size()) {
      too_large();
      return {};
    }
    const std::span<char> taken = room_.first(size);
    room_ = room_.subspan(size);
    return taken;
  }

  std::span<char> room_;
  std::span<Http2Field> into_;
  std::size_t count_ = 0;
  Error error_{};
  bool failed_ = false;
};

}  // namespace

bool is_connection_field(std::string_view name) {
  return std::ranges::find(kConnectionFields, name) != kConnectionFields.end();
}

Result<std::span<const Http2Field>> list_request_fields(const RequestOptions& options,
                                                        std::string_view scheme,
                                                        std::span<char> room,
                                                        std::span<Http2Field> into) {
  FieldLister list(room, into);
  if (!is_token(options.method)) list.set_error(Code::kInvalid, "method is not a token");
  if (!is_safe_target(options.target)) {
    list.set_error(Code::kInvalid, "request target is unsafe");
  }
  list.add(":method", options.method);
  list.add(":scheme", scheme);
  list.add(":authority", options.host);
  list.add(":path", options.target);
  write_request_fields(options, list);
  return list.finish();
}

}  // namespace leat::proto
