// SPDX-License-Identifier: Apache-2.0
// For the fuzz targets of the two head parsers: what a parse gave, by value, and a parse of the
// same bytes in growing slices.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "proto/http1_head.h"
#include "proto/http1_write.h"

namespace leat::proto::fuzz {

struct Outcome {
  HeadStatus status;
  std::string digest;  // all that the head says, as text; empty unless it is complete
  std::vector<std::pair<std::string, std::string>> fields;

  bool operator==(const Outcome& other) const {
    return status.state == other.status.state && status.fault == other.status.fault &&
           status.head_bytes == other.status.head_bytes && digest == other.digest &&
           fields == other.fields;
  }
};

// Parses prefixes that grow by `next_size()`, each in memory of its own, until there is an outcome.
// `digest_of(head)` gives the text of Outcome::digest.
template <class Parser, class Head, class NextSize, class DigestOf>
Outcome parse_in_slices(std::string_view bytes, NextSize next_size, DigestOf digest_of) {
  Parser parser;
  std::size_t size = 0;
  Outcome outcome;
  do {
    size = std::min(bytes.size(), size + next_size());
    const auto copy = std::make_unique<char[]>(size);
    std::copy_n(bytes.data(), size, copy.get());
    const auto head = std::make_unique<Head>();
    outcome.status = parser.parse({copy.get(), size}, *head);
    if (outcome.status.complete()) {
      outcome.digest = digest_of(*head);
      for (const Field field : head->fields) outcome.fields.emplace_back(field.name, field.value);
    }
  } while (outcome.status.need_more() && size < bytes.size());
  return outcome;
}

// What is true of every head that was accepted.
inline void check_accepted(std::string_view bytes, const Outcome& outcome) {
  if (!outcome.status.complete()) {
    LEAT_CHECK((outcome.status.state == HeadState::kFault) ==
               (outcome.status.fault != HttpFault::kNone));
    return;
  }
  LEAT_CHECK(outcome.status.head_bytes <= bytes.size());
  LEAT_CHECK(bytes.substr(0, outcome.status.head_bytes).ends_with("\r\n\r\n"));
  // Whatever came in could be written out again without changing a line's end.
  for (const auto& [name, value] : outcome.fields) {
    LEAT_CHECK(is_token(name));
    LEAT_CHECK(is_safe_field_value(value));
  }
}

}  // namespace leat::proto::fuzz
