// SPDX-License-Identifier: Apache-2.0
#include "control/listing_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/exact_price.h"
#include "control/percent_text.h"

namespace leat::control {
namespace {

constexpr std::size_t kLimitMax = 1'000;  // as OpenRouter's

// As forms write it: a plus is a blank.
std::string decoded(std::string_view text) {
  std::string blanked(text);
  std::replace(blanked.begin(), blanked.end(), '+', ' ');
  return percent_decoded(blanked);
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// The parts of a list with commas, in lower case and without blanks around them.
std::vector<std::string> parts(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) out.push_back(lower(std::string(part)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return out;
}

template <class Number>
bool take_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

template <class E>
bool take_set(std::string_view text, policy::EnumSet<E>& out) {
  out = {};
  for (const std::string& part : parts(text)) {
    const auto value = policy::value_of<E>(part);
    if (!value) return false;
    out.add(*value);
  }
  return true;
}

// Dollars per million tokens.
bool take_price(std::string_view text, policy::Picodollars& out) {
  const auto price = parse_price(text, PriceUnit::kPerMillion);
  if (!price || price->value < 0) return false;
  out = price->value;
  return true;
}

bool take_sort(std::string_view text, ListingSort& out) {
  if (text == "pricing-low-to-high") out = ListingSort::kCheapest;
  if (text == "pricing-high-to-low") out = ListingSort::kDearest;
  if (text == "context-high-to-low") out = ListingSort::kLongestContext;
  if (text == "newest") out = ListingSort::kNewest;
  return true;  // the other orders need figures that we do not have; the list stays as it is
}

bool take_bool(std::string_view text, std::optional<bool>& out) {
  if (text != "true" && text != "false") return false;
  out = text == "true";
  return true;
}

bool take_limit(std::string_view text, ListingQuery& query) {
  std::size_t limit = 0;
  if (!take_number(text, limit) || limit == 0 || limit > kLimitMax) return false;
  query.limit = limit;
  return true;
}

// False if the parameter's value makes no sense.
bool take(std::string_view name, const std::string& value, ListingQuery& query) {
  if (value.empty()) return true;
  if (name == "offset") return take_number(value, query.offset);
  if (name == "limit") return take_limit(value, query);
  if (name == "sort") return take_sort(value, query.sort);
  if (name == "q") {
    query.words = lower(value);
    return true;
  }
  if (name == "supported_parameters") return take_set(value, query.parameters);
  if (name == "input_modalities") return take_set(value, query.input);
  if (name == "output_modalities") {
    if (value != "all") return take_set(value, query.output);
    query.output = {};
    return true;
  }
  if (name == "context") return take_number(value, query.context_min);
  if (name == "min_price") return take_price(value, query.prompt_min);
  if (name == "max_price") return take_price(value, query.prompt_max);
  if (name == "min_output_price") return take_price(value, query.completion_min);
  if (name == "max_output_price") return take_price(value, query.completion_max);
  if (name == "model_authors") query.authors = parts(value);
  if (name == "providers") query.providers = parts(value);
  if (name == "arch") query.tokenizer = lower(value);
  if (name == "region") query.region = lower(value);
  if (name == "distillable") return take_bool(value, query.distillable);
  if (name == "zdr") {
    std::optional<bool> wanted;
    if (!take_bool(value, wanted)) return false;
    query.zdr = *wanted;
  }
  return true;
}

}  // namespace

std::expected<ListingQuery, QueryFault> parse_listing_query(std::string_view query) {
  ListingQuery parsed;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name = decoded(part.substr(0, equals));
    if (!take(name, decoded(part.substr(equals + 1)), parsed)) {
      return std::unexpected(
          QueryFault{name, fmt::format("Invalid value for query parameter `{}`", name)});
    }
  }
  return parsed;
}

std::string unpaged_query(std::string_view query) {
  std::string kept;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view part = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::string name = decoded(part.substr(0, part.find('=')));
    if (part.empty() || name == "offset" || name == "limit") continue;
    if (!kept.empty()) kept += '&';
    kept += part;
  }
  return kept;
}

}  // namespace leat::control
