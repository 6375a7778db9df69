// SPDX-License-Identifier: Apache-2.0
#include "control/yaml_tree.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>

namespace leat::control {
namespace {

constexpr int kDepthMax = 32;
constexpr std::size_t kValuesMax = 200'000;

struct ParserEnd {
  void operator()(yaml_parser_t* parser) const { yaml_parser_delete(parser); }
};
struct DocumentEnd {
  void operator()(yaml_document_t* document) const { yaml_document_delete(document); }
};

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::ranges::find(words, text) != words.end();
}

bool is_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const bool has_digit = text.find_first_of("0123456789") != std::string_view::npos;
  const bool begins =
      !text.empty() && (text.front() == '.' || (text.front() >= '0' && text.front() <= '9'));
  return begins && has_digit && text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
}

JsonValue scalar_of(const yaml_node_t& node) {
  JsonValue value;
  value.text.assign(reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length);
  value.kind = JsonValue::Kind::kText;
  if (node.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return value;
  static constexpr std::array<std::string_view, 5> kNull{"", "~", "null", "Null", "NULL"};
  static constexpr std::array<std::string_view, 9> kTrue{"true", "True", "TRUE", "yes", "Yes",
                                                         "YES",  "on",   "On",   "ON"};
  static constexpr std::array<std::string_view, 9> kFalse{"false", "False", "FALSE", "no", "No",
                                                          "NO",    "off",   "Off",   "OFF"};
  if (is_one_of(value.text, kNull)) {
    value.kind = JsonValue::Kind::kNull;
  } else if (is_one_of(value.text, kTrue) || is_one_of(value.text, kFalse)) {
    value.kind = JsonValue::Kind::kBoolean;
    value.boolean = is_one_of(value.text, kTrue);
  } else if (is_number(value.text)) {
    value.kind = JsonValue::Kind::kNumber;
  }
  return value;
}

// Nodes to values; aliases are met again wherever they stand.
class Walk {
 public:
  explicit Walk(yaml_document_t& document) : document_(document) {}

  // False: it is too deep or too large.
  bool read(int index, int depth, JsonValue& value) {
    const yaml_node_t* node = yaml_document_get_node(&document_, index);
    if (node == nullptr || depth > kDepthMax || ++count_ > kValuesMax) return false;
    switch (node->type) {
      case YAML_SEQUENCE_NODE:
        return read_items(*node, depth, value);
      case YAML_MAPPING_NODE:
        return read_members(*node, depth, value);
      default:
        value = scalar_of(*node);
        return true;
    }
  }

 private:
  bool read_items(const yaml_node_t& node, int depth, JsonValue& value) {
    value.kind = JsonValue::Kind::kArray;
    const auto& items = node.data.sequence.items;
    for (const int* item = items.start; item != items.top; ++item) {
      if (!read(*item, depth + 1, value.items.emplace_back())) return false;
    }
    return true;
  }
  bool read_members(const yaml_node_t& node, int depth, JsonValue& value) {
    value.kind = JsonValue::Kind::kObject;
    const auto& pairs = node.data.mapping.pairs;
    for (const yaml_node_pair_t* pair = pairs.start; pair != pairs.top; ++pair) {
      JsonValue key;
      JsonMember& member = value.members.emplace_back();
      if (!read(pair->key, depth + 1, key) || !read(pair->value, depth + 1, member.value)) {
        return false;
      }
      member.key = key.text;
    }
    return true;
  }

  yaml_document_t& document_;
  std::size_t count_ = 0;
};

}  // namespace

std::optional<JsonValue> parse_yaml(std::string_view text, std::string& why) {
  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) == 0) {
    why = "no memory to read it";
    return {};
  }
  const std::unique_ptr<yaml_parser_t, ParserEnd> parser_end(&parser);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  yaml_document_t document;
  if (yaml_parser_load(&parser, &document) == 0) {
    why = fmt::format("line {}: {}", parser.problem_mark.line + 1,
                      parser.problem != nullptr ? parser.problem : "cannot be read");
    return {};
  }
  const std::unique_ptr<yaml_document_t, DocumentEnd> document_end(&document);
  if (yaml_document_get_root_node(&document) == nullptr) {
    why = "there is nothing in it";
    return {};
  }
  JsonValue value;
  if (!Walk(document).read(1, 0, value)) {
    why = fmt::format("is nested deeper than {} or has more than {} values", kDepthMax, kValuesMax);
    return {};
  }
  return value;
}

}  // namespace leat::control
