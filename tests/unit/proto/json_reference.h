// SPDX-License-Identifier: Apache-2.0
// What simdjson, the strict reference, says of a body: is it one JSON object? Our rules that are
// tighter than simdjson's are not asked here, but in the tests that use this.
#pragma once

#include <simdjson.h>

#include <string_view>

namespace leat::proto::reference {

enum class Verdict { kAccepts, kRejects, kCannotTell };

// Whether some number may be beyond a 64-bit type: a long run of digits, or a long exponent.
inline bool has_huge_number(std::string_view body) {
  std::size_t digits = 0;
  bool exponent = false;
  for (const char c : body) {
    if (c >= '0' && c <= '9') {
      if (++digits > (exponent ? 2U : 17U)) return true;
      continue;
    }
    if (c == '+' || c == '-') continue;
    exponent = c == 'e' || c == 'E';
    digits = 0;
  }
  return false;
}

// kCannotTell: simdjson stops at numbers that no 64-bit type holds, which RFC 8259 allows.
inline Verdict verdict(std::string_view body) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const simdjson::error_code error = parser.parse(body.data(), body.size(), true).get(root);
  if (error == simdjson::NUMBER_ERROR && has_huge_number(body)) return Verdict::kCannotTell;
  if (error != simdjson::SUCCESS) return Verdict::kRejects;
  return root.is_object() ? Verdict::kAccepts : Verdict::kRejects;
}

}  // namespace leat::proto::reference
