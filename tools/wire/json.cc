// SPDX-License-Identifier: Apache-2.0
#include "wire/json.h"

#include <charconv>
#include <cstdio>
#include <cstring>

namespace leat::tools {
namespace {

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && std::strchr(" \t\r\n", text[at]) != nullptr) ++at;
  return at;
}

// Past the string that opens at `at`; npos if it does not close.
std::size_t skip_string(std::string_view text, std::size_t at) {
  ++at;
  while (true) {
    const std::size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return quote;
    std::size_t slashes = 0;
    while (text[quote - 1 - slashes] == '\\') ++slashes;
    at = quote + 1;
    if (slashes % 2 == 0) return at;
  }
}

// Past the value at `at`; npos if the text ends within it.
std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == std::string_view::npos) return at;
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;  // the end of what encloses a bare value
      --depth;
      ++at;
    } else if (depth > 0) {
      at = text.find_first_of("\"{}[]", at);
    } else {
      return text.find_first_of(",}] \t\r\n", at);
    }
    if (depth == 0) return at;
  }
  return std::string_view::npos;
}

// Appends the UTF-8 form of a code point.
void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

bool read_hex4(std::string_view raw, std::size_t at, std::uint32_t& unit) {
  if (at + 4 > raw.size()) return false;
  const auto [end, error] = std::from_chars(raw.data() + at, raw.data() + at + 4, unit, 16);
  return error == std::errc() && end == raw.data() + at + 4;
}

// Reads the \u escape whose digits start at `at`, a low surrogate included; false if broken.
bool unescape_unit(std::string_view raw, std::size_t& at, std::string& out) {
  std::uint32_t high = 0;
  if (!read_hex4(raw, at, high)) return false;
  at += 4;
  if (high < 0xd800 || high > 0xdfff) {
    append_utf8(out, high);
    return true;
  }
  std::uint32_t low = 0;
  if (high > 0xdbff || raw.substr(at, 2) != "\\u" || !read_hex4(raw, at + 2, low)) return false;
  if (low < 0xdc00 || low > 0xdfff) return false;
  at += 6;
  append_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
  return true;
}

}  // namespace

Members::Members(std::string_view text) : text_(text) {
  at_ = skip_blanks(text_, 0);
  at_ = at_ < text_.size() && text_[at_] == '{' ? at_ + 1 : text_.size();
}

bool Members::next(std::string_view& key, std::string_view& value) {
  at_ = skip_blanks(text_, at_);
  if (at_ < text_.size() && text_[at_] == ',') at_ = skip_blanks(text_, at_ + 1);
  if (at_ >= text_.size() || text_[at_] != '"') return false;
  const std::size_t key_end = skip_string(text_, at_);
  if (key_end == std::string_view::npos) return false;
  key = text_.substr(at_ + 1, key_end - at_ - 2);
  at_ = skip_blanks(text_, key_end);
  if (at_ >= text_.size() || text_[at_] != ':') return false;
  at_ = skip_blanks(text_, at_ + 1);
  const std::size_t value_end = skip_value(text_, at_);
  if (value_end == std::string_view::npos) return false;
  value = text_.substr(at_, value_end - at_);
  at_ = value_end;
  return true;
}

std::string_view member(std::string_view object, std::string_view key) {
  Members members(object);
  std::string_view name;
  std::string_view value;
  while (members.next(name, value)) {
    if (name == key) return value;
  }
  return {};
}

std::string_view element(std::string_view array, std::size_t index) {
  std::size_t at = skip_blanks(array, 0);
  if (at >= array.size() || array[at] != '[') return {};
  ++at;
  for (std::size_t i = 0;; ++i) {
    at = skip_blanks(array, at);
    if (at >= array.size() || array[at] == ']') return {};
    const std::size_t end = skip_value(array, at);
    if (end == std::string_view::npos) return {};
    if (i == index) return array.substr(at, end - at);
    at = skip_blanks(array, end);
    if (at < array.size() && array[at] == ',') ++at;
  }
}

std::optional<std::string> string_value(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') return std::nullopt;
  raw = raw.substr(1, raw.size() - 2);
  std::string out;
  for (std::size_t at = 0; at < raw.size();) {
    const char c = raw[at++];
    if (c != '\\') {
      out += c;
      continue;
    }
    if (at >= raw.size()) return std::nullopt;
    const char escape = raw[at++];
    static constexpr std::string_view kFrom = "\"\\/bfnrt";
    static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    const std::size_t simple = kFrom.find(escape);
    if (simple != std::string_view::npos) {
      out += kTo[simple];
    } else if (escape != 'u' || !unescape_unit(raw, at, out)) {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<std::uint64_t> whole_number(std::string_view raw) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (raw.empty() || error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace leat::tools
