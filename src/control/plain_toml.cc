// SPDX-License-Identifier: Apache-2.0
#include "control/plain_toml.h"

#include <simdjson.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace leat::control {
namespace {

// Values in values; catalogues have three levels.
constexpr int kDepthMax = 16;

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Bytes that may stand in strings and comments as they are.
bool is_text(char c) {
  return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t';
}

// TOML lets headers add to what headers made, and to nothing else. The mark stands in a member that
// tables and arrays do not use.
constexpr std::int64_t kByHeader = 1;

class PlainToml {
 public:
  explicit PlainToml(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  std::optional<TomlValue> run();

 private:
  bool line();
  bool header();
  bool header_path(std::vector<std::string>& path);
  TomlValue* descend(TomlValue* from, const std::string& key);
  bool key(std::string& out);
  bool text(std::string& out);
  bool value(TomlValue& out, int depth);
  bool number(TomlValue& out);
  bool word(TomlValue& out);
  bool array(TomlValue& out, int depth);
  bool table(TomlValue& out, int depth);
  bool member(TomlValue& table, int depth);

  bool is_next(char c) const { return at_ != end_ && *at_ == c; }
  bool take(char c) {
    if (!is_next(c)) return false;
    ++at_;
    return true;
  }
  void blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
  }
  bool comment();
  // Blanks, a comment and the end of the line or text.
  bool line_end();
  // Blanks, comments and line ends: what may stand between the elements of an array.
  bool between();

  const char* at_;
  const char* end_;
  std::uint32_t line_ = 1;
  TomlValue root_;
  TomlValue* table_ = &root_;  // that keys go into; valid until the next header
};

bool PlainToml::comment() {
  if (!take('#')) return true;
  while (at_ != end_ && is_text(*at_)) ++at_;
  return at_ == end_ || *at_ == '\n' || *at_ == '\r';
}

bool PlainToml::line_end() {
  blanks();
  if (!comment()) return false;
  if (at_ == end_) return true;
  if (is_next('\r')) ++at_;
  if (!take('\n')) return false;
  ++line_;
  return true;
}

bool PlainToml::between() {
  while (at_ != end_) {
    blanks();
    if (!is_next('#') && !is_next('\r') && !is_next('\n')) return true;
    if (!line_end()) return false;
  }
  return true;
}

bool PlainToml::text(std::string& out) {
  if (!take('"')) return false;
  if (end_ - at_ >= 2 && at_[0] == '"' && at_[1] == '"') return false;  // of several lines
  while (at_ != end_ && *at_ != '"') {
    const char* const begin = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\' && is_text(*at_)) ++at_;
    out.append(begin, at_);
    if (at_ == end_ || *at_ == '"') break;
    if (!take('\\')) return false;
    if (!is_next('"') && !is_next('\\')) return false;
    out += *at_++;
  }
  return take('"');
}

bool PlainToml::key(std::string& out) {
  if (is_next('"')) return text(out);
  const char* const begin = at_;
  while (at_ != end_ && is_bare(*at_)) ++at_;
  out.assign(begin, at_);
  return !out.empty();
}

bool PlainToml::number(TomlValue& out) {
  out.kind = TomlValue::Kind::kInteger;
  const bool is_negative = take('-');
  const char* const begin = at_;
  constexpr std::ptrdiff_t kDigitsMax = 18;  // of any that fit 64 bits
  while (at_ != end_ && *at_ >= '0' && *at_ <= '9' && at_ - begin < kDigitsMax) {
    out.integer = out.integer * 10 + (*at_++ - '0');
  }
  const std::ptrdiff_t digits = at_ - begin;
  if (digits == 0 || (digits > 1 && *begin == '0')) return false;
  if (is_negative) out.integer = -out.integer;
  // More digits, a point, an exponent, a date, a hexadecimal number.
  return at_ == end_ || !(is_bare(*at_) || *at_ == '.' || *at_ == ':' || *at_ == '+');
}

bool PlainToml::word(TomlValue& out) {
  std::string name;
  if (!key(name) || (name != "true" && name != "false")) return false;
  out.kind = TomlValue::Kind::kBoolean;
  out.boolean = name == "true";
  return true;
}

bool PlainToml::array(TomlValue& out, int depth) {
  out.kind = TomlValue::Kind::kArray;
  if (!take('[') || !between()) return false;
  while (!take(']')) {
    if (!value(out.items.emplace_back(), depth + 1) || !between()) return false;
    if (take(',')) {
      if (!between()) return false;
    } else if (!is_next(']')) {
      return false;
    }
  }
  return true;
}

bool PlainToml::table(TomlValue& out, int depth) {
  if (!take('{')) return false;
  blanks();
  if (take('}')) return true;
  do {
    blanks();
    if (!member(out, depth + 1)) return false;
    blanks();
  } while (take(','));
  // Within a line the tree is in the order of keys.
  std::sort(out.members.begin(), out.members.end(), [](const TomlMember& a, const TomlMember& b) {
    return std::tie(a.line, a.key) < std::tie(b.line, b.key);
  });
  return take('}');
}

bool PlainToml::value(TomlValue& out, int depth) {
  if (at_ == end_ || depth > kDepthMax) return false;
  out.line = line_;
  switch (*at_) {
    case '"':
      out.kind = TomlValue::Kind::kText;
      return text(out.text);
    case '[':
      return array(out, depth);
    case '{':
      return table(out, depth);
    case 't':
    case 'f':
      return word(out);
    default:
      return number(out);
  }
}

bool PlainToml::member(TomlValue& table, int depth) {
  std::string name;
  const std::uint32_t line = line_;
  if (!key(name) || table.find(name) != nullptr) return false;
  blanks();
  if (!take('=')) return false;
  blanks();
  TomlMember& made = table.members.emplace_back();
  made.key = std::move(name);
  made.line = line;
  return value(made.value, depth);
}

// The table that a part of a header's path names; null if no header may add to it.
TomlValue* PlainToml::descend(TomlValue* from, const std::string& key) {
  for (TomlMember& member : from->members) {
    if (member.key != key) continue;
    TomlValue& there = member.value;
    const bool is_array = there.kind == TomlValue::Kind::kArray;
    if (!is_array && there.kind != TomlValue::Kind::kTable) return nullptr;
    if (there.integer != kByHeader) return nullptr;
    return is_array ? &there.items.back() : &there;
  }
  TomlMember& made = from->members.emplace_back();
  made.key = key;
  made.line = made.value.line = line_;
  made.value.integer = kByHeader;
  return &made.value;
}

bool PlainToml::header_path(std::vector<std::string>& path) {
  do {
    blanks();
    if (!key(path.emplace_back())) return false;
    blanks();
  } while (take('.'));
  return path.size() <= kDepthMax;
}

bool PlainToml::header() {
  const bool is_array = end_ - at_ > 1 && at_[1] == '[';
  at_ += is_array ? 2 : 1;
  std::vector<std::string> path;
  if (!header_path(path)) return false;
  if (!take(']') || (is_array && !take(']'))) return false;
  TomlValue* from = &root_;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    from = descend(from, path[i]);
    if (from == nullptr) return false;
  }
  const auto found =
      std::find_if(from->members.begin(), from->members.end(),
                   [&](const TomlMember& member) { return member.key == path.back(); });
  if (found != from->members.end()) {
    TomlValue& there = found->value;
    if (!is_array || there.kind != TomlValue::Kind::kArray || there.integer != kByHeader) {
      return false;
    }
    table_ = &there.items.emplace_back();
  } else {
    TomlMember& made = from->members.emplace_back();
    made.key = path.back();
    made.line = made.value.line = line_;
    made.value.integer = kByHeader;
    table_ = &made.value;
    if (is_array) {
      made.value.kind = TomlValue::Kind::kArray;
      table_ = &made.value.items.emplace_back();
    }
  }
  table_->line = line_;
  table_->integer = kByHeader;
  return true;
}

bool PlainToml::line() {
  blanks();
  if (is_next('[')) {
    if (!header()) return false;
  } else if (at_ != end_ && *at_ != '#' && *at_ != '\n' && *at_ != '\r') {
    if (!member(*table_, 0)) return false;
  }
  return line_end();
}

std::optional<TomlValue> PlainToml::run() {
  root_.line = 1;
  while (at_ != end_) {
    if (!line()) return {};
  }
  return std::move(root_);
}

}  // namespace

std::optional<TomlValue> parse_plain_toml(std::string_view text) {
  if (!simdjson::validate_utf8(text)) return {};
  return PlainToml(text).run();
}

}  // namespace leat::control
