// SPDX-License-Identifier: Apache-2.0
// Parts of a catalogue as a file states them (TOML), for those who write catalogues and those who
// tell what is different between two. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/toml_quote.h"
#include "policy/catalogue.h"

namespace leat::control {

// [a, b], each by `to_text`.
template <class Range, class ToText>
std::string toml_list(const Range& range, ToText to_text) {
  std::string out = "[";
  for (const auto& item : range) {
    if (out.size() > 1) out += ", ";
    out += to_text(item);
  }
  return out + "]";
}

// The names of a set, quoted.
template <class E>
std::string toml_list(policy::EnumSet<E> set) {
  std::vector<std::string_view> names;
  for (unsigned i = 0; i < 64; ++i) {
    if ((set.bits() >> i & 1) != 0) names.push_back(policy::name_of(static_cast<E>(i)));
  }
  return toml_list(names, toml_quoted);
}

// One price, quoted; "none" where the class is not stated.
std::string price_value(const policy::Prices& prices, policy::PriceClass price_class);
// { prompt = "0.15", completion = "0.60" }
std::string price_table(const policy::Prices& prices);
std::string override_table(const policy::PriceOverride& terms);
std::string data_table(const policy::DataPolicy& data);

}  // namespace leat::control
