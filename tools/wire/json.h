// SPDX-License-Identifier: Apache-2.0
// As much JSON as the load tools need: the members of one object, found by their bytes. Takes well
// formed text; anything else just yields fewer members. Written apart from src/proto on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::tools {

// Walks the members of the object that `text` holds.
class Members {
 public:
  explicit Members(std::string_view text);

  // The next member: its key without quotes (escapes left in), its value's raw text. False at the
  // end or where the text is not an object's.
  bool next(std::string_view& key, std::string_view& value);

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

// The raw value of one member; empty if it is not there.
std::string_view member(std::string_view object, std::string_view key);

// The n-th element's raw text of an array; empty if there is none.
std::string_view element(std::string_view array, std::size_t index);

// The content of a string value, unescaped; nullopt for other values and broken escapes.
std::optional<std::string> string_value(std::string_view raw);

// A non-negative whole number, or nullopt.
std::optional<std::uint64_t> whole_number(std::string_view raw);

// `text` as a JSON string with its quotes.
std::string json_text(std::string_view text);

}  // namespace leat::tools
