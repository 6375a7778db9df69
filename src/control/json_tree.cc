// SPDX-License-Identifier: Apache-2.0
#include "control/json_tree.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace leat::control {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;
using simdjson::SUCCESS;

// On-demand values are read once and in order, which is what a conversion does. simdjson bounds
// the depth (1,024 by default), and with it this recursion.
error_code convert(ondemand::value from, JsonValue& to);

error_code convert_array(ondemand::value from, JsonValue& to) {
  ondemand::array array;
  if (const error_code error = from.get_array().get(array)) return error;
  for (auto element : array) {
    ondemand::value value;
    if (const error_code error = element.get(value)) return error;
    if (const error_code error = convert(value, to.items.emplace_back())) return error;
  }
  return SUCCESS;
}

error_code convert_object(ondemand::value from, JsonValue& to) {
  ondemand::object object;
  if (const error_code error = from.get_object().get(object)) return error;
  for (auto field : object) {
    std::string_view key;
    if (const error_code error = field.unescaped_key().get(key)) return error;
    JsonMember& member = to.members.emplace_back();
    member.key = key;
    ondemand::value value;
    if (const error_code error = field.value().get(value)) return error;
    if (const error_code error = convert(value, member.value)) return error;
  }
  return SUCCESS;
}

error_code convert_number(ondemand::value from, JsonValue& to) {
  std::string_view token = from.raw_json_token();
  token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  // The token is the tape's view up to the next one: checked here by the parser's own reading.
  double checked = 0;
  if (const error_code error = from.get_double().get(checked)) return error;
  to.text = token;
  return SUCCESS;
}

error_code convert(ondemand::value from, JsonValue& to) {
  ondemand::json_type type;
  if (const error_code error = from.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::object:
      to.kind = JsonValue::Kind::kObject;
      return convert_object(from, to);
    case ondemand::json_type::array:
      to.kind = JsonValue::Kind::kArray;
      return convert_array(from, to);
    case ondemand::json_type::string: {
      to.kind = JsonValue::Kind::kText;
      std::string_view text;
      if (const error_code error = from.get_string().get(text)) return error;
      to.text = text;
      return SUCCESS;
    }
    case ondemand::json_type::number:
      to.kind = JsonValue::Kind::kNumber;
      return convert_number(from, to);
    case ondemand::json_type::boolean:
      to.kind = JsonValue::Kind::kBoolean;
      return from.get_bool().get(to.boolean);
    case ondemand::json_type::null:
      to.kind = JsonValue::Kind::kNull;
      return from.is_null() ? SUCCESS : simdjson::N_ATOM_ERROR;
  }
  return simdjson::TAPE_ERROR;
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [key](const JsonMember& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

std::string_view JsonValue::text_of(std::string_view key) const {
  const JsonValue* value = find(key);
  return value != nullptr && value->is(Kind::kText) ? std::string_view(value->text)
                                                    : std::string_view();
}

std::string_view JsonValue::number_of(std::string_view key) const {
  const JsonValue* value = find(key);
  return value != nullptr && value->is(Kind::kNumber) ? std::string_view(value->text)
                                                      : std::string_view();
}

bool JsonValue::is_true(std::string_view key) const {
  const JsonValue* value = find(key);
  return value != nullptr && value->is(Kind::kBoolean) && value->boolean;
}

std::uint32_t JsonValue::count_of(std::string_view key) const {
  const std::string_view text = number_of(key);
  double value = 0;  // a count of tokens, not money: doubles hold all of 32 bits
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  if (value < 0 || value > UINT32_MAX || value != std::floor(value)) return 0;
  return static_cast<std::uint32_t>(value);
}

std::optional<JsonValue> parse_json(std::string_view text, std::string& why) {
  const simdjson::padded_string padded(text);
  ondemand::parser parser;
  ondemand::document document;
  JsonValue root;
  ondemand::value value;
  error_code error = parser.iterate(padded).get(document);
  if (!error) error = document.get_value().get(value);
  if (!error) error = convert(value, root);
  const char* rest = nullptr;
  // There is a place after the value only if something stands there.
  if (!error && !document.current_location().get(rest)) error = simdjson::TRAILING_CONTENT;
  if (error) {
    why = simdjson::error_message(error);
    return {};
  }
  return root;
}

}  // namespace leat::control
