// SPDX-License-Identifier: Apache-2.0
#include "control/toml_tree.h"

#include <algorithm>
#include <tuple>

// Debian's shared library has the throwing parser only, so this one file compiles the other in.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
// toml++ 3.3 asserts what a file decides (`[;x]` reaches its parse_key(), which then reports the
// fault properly if it is let): a typing error would end the process. With NDEBUG the same
// conditions would be promised to the optimiser, so that is off too. The fuzzer runs without them
// under ASan and UBSan.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

namespace leat::control {
namespace {

// Recursion is bounded by the parser's own limit on nesting (TOML_MAX_NESTED_VALUES, 256).
TomlValue converted(const toml::node& node) {
  TomlValue value;
  value.line = node.source().begin.line;
  switch (node.type()) {
    case toml::node_type::boolean:
      value.kind = TomlValue::Kind::kBoolean;
      value.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::integer:
      value.kind = TomlValue::Kind::kInteger;
      value.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.kind = TomlValue::Kind::kFloat;
      break;
    case toml::node_type::string:
      value.kind = TomlValue::Kind::kText;
      value.text = node.as_string()->get();
      break;
    case toml::node_type::array:
      value.kind = TomlValue::Kind::kArray;
      for (const toml::node& item : *node.as_array()) value.items.push_back(converted(item));
      break;
    case toml::node_type::table:
      value.kind = TomlValue::Kind::kTable;
      for (const auto& [key, member] : *node.as_table()) {
        value.members.push_back({std::string(key.str()),
                                 static_cast<std::uint32_t>(key.source().begin.line),
                                 converted(member)});
      }
      // toml++ sorts by name; operators think in the file's order (by name within a line).
      std::sort(value.members.begin(), value.members.end(),
                [](const TomlMember& a, const TomlMember& b) {
                  return std::tie(a.line, a.key) < std::tie(b.line, b.key);
                });
      break;
    default:
      value.kind = TomlValue::Kind::kDate;
      break;
  }
  return value;
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

// Walks over strings and comments as TOML 1.0 draws their borders; on malformed text it may lose
// its way, but then the parser stops before the place where that would matter.
class StraySearch {
 public:
  explicit StraySearch(std::string_view text) : text_(text) {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;  // a byte order mark is allowed
  }

  // The line of the first byte outside of ASCII that stands in neither text nor comment; 0: none.
  std::uint32_t line_of_first() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) >= 0x80) return line_;
      if (c == '\n') ++line_;
      if (c == '#') skip_comment();
      if (c != '"' && c != '\'') continue;
      // A quote right behind a bare word opens nothing: the parser reads on as if it were the word.
      const bool opens =
          at_ == 0 || std::string_view(" \t\n=[{,").find(text_[at_ - 1]) != std::string_view::npos;
      const std::size_t begin = at_;
      const std::uint32_t line = line_;
      skip_string(c);
      if (!opens && !is_ascii(text_.substr(begin, at_ - begin))) return line;
    }
    return 0;
  }

 private:
  // Each leaves at_ on the last byte of what it skips; a line end that closes it is not skipped.
  void skip_comment() {
    while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') ++at_;
  }

  void skip_string(char quote) {
    const std::string_view rest = text_.substr(at_);
    const bool is_long = rest.size() > 2 && rest[1] == quote && rest[2] == quote;
    at_ += is_long ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n' && !is_long) {
        --at_;
        return;
      }
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
        ++at_;
        continue;
      }
      if (c != quote) continue;
      if (!is_long) return;
      std::size_t quotes = 1;
      while (quotes < 5 && at_ + quotes < text_.size() && text_[at_ + quotes] == quote) ++quotes;
      // Three quotes end it; one or two before those belong to the text.
      at_ += quotes - 1;
      if (quotes >= 3) return;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

const TomlMember* TomlValue::find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const TomlMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &*found;
}

std::variant<TomlValue, TomlSyntaxError> parse_toml(std::string_view text) {
  // toml++ 3.3 reaches an "unreachable" place when it asks whether such a character is a blank, and
  // TOML has no use for one there.
  if (const std::uint32_t line = StraySearch(text).line_of_first(); line != 0) {
    return TomlSyntaxError{
        line, "a character outside of ASCII stands outside of quotes; write it in quotes"};
  }
  const toml::parse_result result = toml::parse(text);
  if (!result) {
    return TomlSyntaxError{result.error().source().begin.line,
                           std::string(result.error().description())};
  }
  TomlValue root = converted(result.table());
  root.line = 1;
  return root;
}

std::string_view kind_name(TomlValue::Kind kind) {
  switch (kind) {
    case TomlValue::Kind::kBoolean:
      return "true or false";
    case TomlValue::Kind::kInteger:
      return "a whole number";
    case TomlValue::Kind::kFloat:
      return "a number with a point";
    case TomlValue::Kind::kText:
      return "text";
    case TomlValue::Kind::kArray:
      return "an array";
    case TomlValue::Kind::kTable:
      return "a table";
    case TomlValue::Kind::kDate:
      return "a date or time";
  }
  return "something else";
}

}  // namespace leat::control
