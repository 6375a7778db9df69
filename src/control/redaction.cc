// SPDX-License-Identifier: Apache-2.0
#include "control/redaction.h"

#include <algorithm>
#include <vector>

#include "control/sensitive_forms.h"
#include "proto/json_scan.h"
#include "proto/json_writer.h"

namespace leat::control {
namespace {

// JSON within a string within a string; deeper it is text.
constexpr int kDepthMax = 3;

void append_mark(RedactKind kind, std::string& out) {
  out.append("[redacted:").append(kRedactNames[static_cast<std::size_t>(kind)]).append("]");
}

// Code point to UTF-8; what is none becomes U+FFFD.
void append_utf8(std::uint32_t point, std::string& out) {
  if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xc0 | point >> 6);
  } else if (point < 0x10000) {
    put(0xe0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3f));
  } else {
    put(0xf0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3f));
    put(0x80 | (point >> 6 & 0x3f));
  }
  put(0x80 | (point & 0x3f));
}

// The four digits at the front; -1: they are none.
std::int32_t unit_of(std::string_view text) {
  if (text.size() < 4) return -1;
  std::int32_t unit = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Undoes the escapes of a string's inside. Never fails: what is no escape stands for itself.
std::string unescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t slash = text.find('\\');
    out.append(text.substr(0, slash));
    if (slash == std::string_view::npos || slash + 1 == text.size()) break;
    const char c = text[slash + 1];
    text.remove_prefix(slash + 2);
    constexpr std::string_view kShort = "bfnrt";
    constexpr std::string_view kMeans = "\b\f\n\r\t";
    const std::size_t at = kShort.find(c);
    const std::int32_t unit = c == 'u' ? unit_of(text) : -1;
    if (unit < 0) {
      out += at == std::string_view::npos ? c : kMeans[at];
      continue;
    }
    text.remove_prefix(4);
    auto point = static_cast<std::uint32_t>(unit);
    if (unit >= 0xd800 && unit < 0xdc00 && text.starts_with("\\u")) {
      const std::int32_t low = unit_of(text.substr(2));
      if (low >= 0xdc00 && low < 0xe000) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (static_cast<std::uint32_t>(low) & 0x3ff);
        text.remove_prefix(6);
      }
    }
    append_utf8(point, out);
  }
  return out;
}

void append_string(std::string_view text, std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + text.size() * 6 + 2);  // \u00XX for each byte
  proto::JsonWriter writer({out.data() + begin, out.size() - begin});
  writer.string(text);
  out.resize(begin + writer.size());
}

// Whether a string's text is itself JSON with something in it.
bool is_json(std::string_view text) {
  if (text.empty() || (text.front() != '{' && text.front() != '[')) return false;
  const std::string object = "{\"v\":" + std::string(text) + "}";
  proto::JsonLimits limits;
  limits.keys_max = UINT32_MAX / 2;
  proto::JsonScanner scanner(limits);
  return scanner.scan(object, true) == proto::JsonStatus::kDone;
}

class JsonWalk {
 public:
  JsonWalk(std::uint32_t kinds, int depth, std::string& out)
      : kinds_(kinds), depth_(depth), out_(out) {}

  std::size_t run(std::string_view json) {
    while (!json.empty()) {
      const char c = json.front();
      if (c == '"') {
        json.remove_prefix(string(json));
      } else if (c == '-' || (c >= '0' && c <= '9')) {
        json.remove_prefix(number(json));
      } else {
        out_ += c;
        json.remove_prefix(1);
      }
    }
    return hits_;
  }

 private:
  // Each returns how much of the text it was.
  std::size_t string(std::string_view json) {
    std::size_t end = 1;
    while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    end = std::min(end, json.size());
    const std::string text = unescaped(json.substr(1, end - 1));
    std::string made;
    if (depth_ < kDepthMax && is_json(text)) {
      hits_ += JsonWalk(kinds_, depth_ + 1, made).run(text);
    } else {
      hits_ += append_redacted(text, kinds_, made);
    }
    append_string(made, out_);
    return std::min(end + 1, json.size());
  }

  std::size_t number(std::string_view json) {
    const std::size_t size = std::min(json.find_first_not_of("+-.0123456789eE"), json.size());
    const std::string_view whole = json.substr(0, size);
    std::string made;
    // Only a card is ever written as a number.
    constexpr std::uint32_t kCard = 1U << static_cast<unsigned>(RedactKind::kCard);
    const bool is_whole = whole.find_first_not_of("0123456789") == std::string_view::npos;
    if (is_whole && append_redacted(whole, kinds_ & kCard, made) > 0) {
      ++hits_;
      append_string(made, out_);
    } else {
      out_.append(whole);
    }
    return size;
  }

  const std::uint32_t kinds_;
  const int depth_;
  std::string& out_;
  std::size_t hits_ = 0;
};

}  // namespace

std::size_t append_redacted(std::string_view text, std::uint32_t kinds, std::string& out) {
  std::vector<SensitivePlace> places = find_sensitive(text, kinds);
  std::size_t at = 0;
  std::size_t hits = 0;
  for (std::size_t i = 0; i < places.size();) {
    // What overlaps is one place, called by what begins first.
    const SensitivePlace& first = places[i];
    std::size_t end = first.end;
    for (++i; i < places.size() && places[i].begin < end; ++i) end = std::max(end, places[i].end);
    out.append(text.substr(at, first.begin - at));
    append_mark(first.kind, out);
    at = end;
    ++hits;
  }
  out.append(text.substr(at));
  return hits;
}

std::size_t append_redacted_json(std::string_view json, std::uint32_t kinds, std::string& out) {
  return JsonWalk(kinds, 0, out).run(json);
}

}  // namespace leat::control
