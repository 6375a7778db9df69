// SPDX-License-Identifier: Apache-2.0
#include "proto/json_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace leat::proto {
namespace {

// Four hex digits at `at`, or -1.
int hex4(const char* at) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(at, at + 4, value, 16);
  return error == std::errc() && end == at + 4 ? static_cast<int>(value) : -1;
}

std::size_t put_utf8(std::uint32_t code_point, char* out) {
  const auto put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
    return 2;
  }
  if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
    return 3;
  }
  put(0xf0 | code_point >> 18);
  put(0x80 | (code_point >> 12 & 0x3f));
  put(0x80 | (code_point >> 6 & 0x3f));
  put(0x80 | (code_point & 0x3f));
  return 4;
}

// The code point of a \u escape at `at` (on the backslash), surrogate pairs joined; moves `at` past
// it.
std::optional<std::uint32_t> take_unicode(const char*& at, const char* end) {
  if (end - at < 6) return std::nullopt;
  const int unit = hex4(at + 2);
  at += 6;
  if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return std::nullopt;
  if (unit < 0xd800 || unit > 0xdfff) return static_cast<std::uint32_t>(unit);
  if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return std::nullopt;
  const int low = hex4(at + 2);
  at += 6;
  if (low < 0xdc00 || low > 0xdfff) return std::nullopt;
  return 0x10000 + ((static_cast<std::uint32_t>(unit) - 0xd800) << 10) +
         (static_cast<std::uint32_t>(low) - 0xdc00);
}

char simple_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '"':
    case '\\':
    case '/':
      return c;
    default:
      return '\0';
  }
}

// Integers that a double holds exactly end here.
constexpr double kExactMax = 9007199254740992.0;

}  // namespace

const char* skip_json_container(const char* at, const char* end) {
  std::size_t depth = 0;
  while (at != end) {
    switch (*at) {
      case '"':
        at = skip_json_string(at, end);
        if (at == nullptr) return nullptr;
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) return at + 1;
        break;
      default:
        break;
    }
    ++at;
  }
  return nullptr;
}

std::optional<JsonType> json_type(std::string_view value) {
  if (value.empty()) return std::nullopt;
  switch (value[0]) {
    case '{':
      return JsonType::kObject;
    case '[':
      return JsonType::kArray;
    case '"':
      return JsonType::kString;
    case 't':
      return JsonType::kTrue;
    case 'f':
      return JsonType::kFalse;
    case 'n':
      return JsonType::kNull;
    default:
      break;
  }
  if (value[0] == '-' || (value[0] >= '0' && value[0] <= '9')) return JsonType::kNumber;
  return std::nullopt;
}

bool JsonMembers::next(JsonMember& member) {
  if (!open_) return false;
  open_ = cursor_.next_key(first_, member.key);
  if (!open_) return false;
  member.value = cursor_.skip();
  open_ = cursor_.ok();
  return open_;
}

bool JsonElements::next(std::string_view& element) {
  if (!open_) return false;
  open_ = cursor_.next_element(first_);
  if (!open_) return false;
  element = cursor_.skip();
  open_ = cursor_.ok();
  return open_;
}

bool json_key_says(std::string_view escaped_key, std::string_view name) {
  if (escaped_key.find('\\') == std::string_view::npos) return escaped_key == name;
  std::array<char, 64> buffer;
  // The quotes stand around the key: it comes from JSON text.
  const auto key = json_string({escaped_key.data() - 1, escaped_key.size() + 2}, buffer);
  return key && *key == name;
}

std::optional<std::string_view> json_find(std::string_view object, std::string_view key) {
  JsonMembers members(object);
  JsonMember member;
  while (members.next(member)) {
    if (json_key_says(member.key, key)) return member.value;
  }
  return std::nullopt;
}

std::optional<std::string_view> json_raw_string(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return std::nullopt;
  return value.substr(1, value.size() - 2);
}

std::optional<std::string_view> json_string(std::string_view value, std::span<char> buffer) {
  const auto raw = json_raw_string(value);
  if (!raw || raw->find('\\') == std::string_view::npos) return raw;
  const char* at = raw->data();
  const char* const end = at + raw->size();
  std::size_t size = 0;
  while (at != end) {
    if (buffer.size() - size < 4) return std::nullopt;
    if (*at != '\\') {
      buffer[size++] = *at++;
      continue;
    }
    if (end - at < 2) return std::nullopt;
    if (at[1] == 'u') {
      const auto code_point = take_unicode(at, end);
      if (!code_point) return std::nullopt;
      size += put_utf8(*code_point, buffer.data() + size);
      continue;
    }
    const char c = simple_escape(at[1]);
    if (c == '\0') return std::nullopt;
    buffer[size++] = c;
    at += 2;
  }
  return std::string_view(buffer.data(), size);
}

std::optional<std::int64_t> json_integer(std::string_view value, std::int64_t min,
                                         std::int64_t max) {
  const char* const end = value.data() + value.size();
  std::int64_t integer = 0;
  const auto [at, error] = std::from_chars(value.data(), end, integer);
  if (error != std::errc() || at != end) {
    const auto real = json_double(value);
    if (!real || std::abs(*real) > kExactMax || *real != std::floor(*real)) return std::nullopt;
    integer = static_cast<std::int64_t>(*real);
  }
  if (integer < min || integer > max) return std::nullopt;
  return integer;
}

std::optional<double> json_double(std::string_view value) {
  if (json_type(value) != JsonType::kNumber) return std::nullopt;
  const char* const end = value.data() + value.size();
  double real = 0;
  const auto [at, error] = std::from_chars(value.data(), end, real);
  if (error != std::errc() || at != end) return std::nullopt;
  return real;
}

std::optional<bool> json_bool(std::string_view value) {
  if (value == "true") return true;
  if (value == "false") return false;
  return std::nullopt;
}

bool json_is_null(std::string_view value) {
  return value == "null";
}

}  // namespace leat::proto
