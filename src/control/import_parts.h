// SPDX-License-Identifier: Apache-2.0
// What the readers of published catalogues share: names, dates and prices brought into our form.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/catalogue_import.h"
#include "control/exact_price.h"
#include "control/json_tree.h"

namespace leat::control {

// "Google_Vertex AI" as "google-vertex-ai": letters, digits, - and . in lower case.
std::string slug_of(std::string_view text);

// "author/slug" or "slug" of a provider's name for a model: the last two parts of its path in lower
// case. Folders that are no author ("models") go with what stands before them.
std::string model_id_of(std::string_view name);

// Text as our files hold it: no control bytes, no more bytes than `size_max`.
std::string plain_text(std::string_view text, std::size_t size_max);

// "2025-03-31" or "2025-03" as seconds since 1970; 0 if it is no date.
std::int64_t unix_seconds(std::string_view date);

// A price that stands in `from` as a number or as text.
struct PriceSource {
  std::string_view key;
  policy::PriceClass price_class;
};
// Stores those that `from` has. False, with a note, if one is no price at all.
bool take_prices(const JsonValue& from, std::span<const PriceSource> sources, PriceUnit unit,
                 std::string_view subject, policy::Prices& prices, std::vector<ImportNote>& changed,
                 std::vector<ImportNote>& unplaced);

// The names of an array that mean something to us; others are noted as left out, once each.
template <class E>
policy::EnumSet<E> take_set(const JsonValue* array) {
  policy::EnumSet<E> set;
  if (array == nullptr) return set;
  for (const JsonValue& item : array->items) {
    const auto name = policy::value_of<E>(item.text);
    if (name) set.add(*name);
  }
  return set;
}

}  // namespace leat::control
