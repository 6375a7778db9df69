// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_text.h"

#include <fmt/format.h>

#include "control/exact_price.h"

namespace leat::control {

std::string price_value(const policy::Prices& prices, policy::PriceClass price_class) {
  if (prices[price_class] == policy::Prices::kUnstated) return "none";
  return fmt::format("\"{}\"", price_text(prices[price_class], unit_of(price_class)));
}

std::string price_table(const policy::Prices& prices) {
  std::string out;
  for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
    const auto price_class = static_cast<policy::PriceClass>(i);
    if (prices[price_class] == policy::Prices::kUnstated) continue;
    if (!out.empty()) out += ", ";
    out += fmt::format("{} = {}", name_of(price_class), price_value(prices, price_class));
  }
  return fmt::format("{{ {} }}", out);
}

std::string override_table(const policy::PriceOverride& terms) {
  std::string out;
  const auto add = [&](std::string_view key, std::string_view value) {
    out += fmt::format("{} = {}, ", key, value);
  };
  const auto minute = [](std::uint16_t of_day) {
    return fmt::format("\"{:02}{:02}\"", of_day / 60, of_day % 60);
  };
  if (terms.has_prompt_condition) {
    add("prompt_tokens_over", fmt::to_string(terms.prompt_tokens_over));
  }
  if (terms.utc_start != policy::PriceOverride::kAnyMinute)
    add("utc_start", minute(terms.utc_start));
  if (terms.utc_end != policy::PriceOverride::kAnyMinute) add("utc_end", minute(terms.utc_end));
  constexpr std::uint8_t kAllDays = 0x7f;
  if (terms.utc_days != kAllDays) {
    std::vector<int> days;
    for (int day = 0; day < 7; ++day) {
      if ((terms.utc_days >> day & 1) != 0) days.push_back(day);
    }
    add("utc_days", fmt::format("[{}]", fmt::join(days, ", ")));
  }
  return fmt::format("{{ {}price = {} }}", out, price_table(terms.prices));
}

std::string data_table(const policy::DataPolicy& data) {
  std::string value = fmt::format("trains = {}, publishes = {}", data.trains, data.publishes);
  if (data.retention_days != policy::DataPolicy::kRetentionUnknown) {
    value += fmt::format(", retention_days = {}", data.retention_days);
  }
  return fmt::format("{{ {} }}", value);
}

}  // namespace leat::control
