// SPDX-License-Identifier: Apache-2.0
// An Explanation as text for people and as JSON for programs.
#include <fmt/format.h>

#include <array>

#include "control/exact_price.h"
#include "control/explain.h"
#include "control/listing_json.h"

namespace leat::control {
namespace {

struct Row {
  std::string_view name;  // in JSON
  std::string_view text;
};
constexpr std::array<Row, kPlaceReasons> kRows = {{
    {"listed", "provider.order names it"},
    {"sticky", "the conversation is there, and its provider caches prompts"},
    {"tier", "it is of the service tier that was asked for"},
    {"price", "the cheaper ones come first"},
    {"throughput", "those of more tokens a second come first"},
    {"latency", "those of the earlier first token come first"},
    {"drawn", "drawn with 1/price\u00b2"},
    {"as_written", "its model has no prices: as the configuration lists its endpoints"},
    {"demoted", "behind the others: it misses a preferred throughput or latency"},
    {"recent_outage", "it had an outage within the last 30 s"},
    {"low_uptime", "its uptime of late is low"},
    {"probe", "its breaker lets this request through to see whether it is back"},
    {"last_resort", "it failed too often of late, but so did too many others of its model"},
}};
static_assert(!kRows.back().name.empty());

const Row& row_of(PlaceReason reason) {
  return kRows[static_cast<std::size_t>(reason)];
}

std::vector<std::string_view> names_of(policy::ParameterSet set) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < policy::kParameters; ++i) {
    const auto parameter = static_cast<policy::Parameter>(i);
    if (set.has(parameter)) names.push_back(policy::name_of(parameter));
  }
  return names;
}

// ---- Text --------------------------------------------------------------------------------------

std::string price_of_million(policy::Picodollars price) {
  if (price == policy::Prices::kUnstated) return "unstated";
  return "$" + price_text(price, PriceUnit::kPerMillion);
}

std::string line_of(const Explanation::Endpoint& endpoint) {
  if (endpoint.prompt == policy::Prices::kUnstated &&
      endpoint.completion == policy::Prices::kUnstated) {
    return fmt::format("{}  {} ({}), no price", endpoint.model, endpoint.tag, endpoint.provider);
  }
  return fmt::format("{}  {} ({}), a million tokens: {} prompt, {} completion", endpoint.model,
                     endpoint.tag, endpoint.provider, price_of_million(endpoint.prompt),
                     price_of_million(endpoint.completion));
}

std::string text_of(const Explanation::Candidate& candidate) {
  std::string out = line_of(candidate.endpoint) + "\n";
  for (const PlaceReason reason : candidate.reasons) {
    out += fmt::format("     {}: {}", row_of(reason).name, row_of(reason).text);
    if (reason == PlaceReason::kDrawn) {
      out += fmt::format("; first of its peers in {:.1f} %", candidate.first_chance * 100);
    }
    out += '\n';
  }
  if (!candidate.dropped.empty()) {
    out += fmt::format("     left out of its request, for it does not support them: {}\n",
                       fmt::join(names_of(candidate.dropped), ", "));
  }
  if (candidate.reasoning_on) out += "     :thinking turns reasoning on\n";
  return out;
}

std::string text_of(const Explanation::Excluded& excluded) {
  std::string out = fmt::format("  - {}\n     {}: {}", line_of(excluded.endpoint),
                                policy::name_of(excluded.reason), policy::text_of(excluded.reason));
  if (!excluded.missing.empty()) {
    out += fmt::format(" (missing: {})", fmt::join(names_of(excluded.missing), ", "));
  }
  return out + "\n";
}

std::string text_of(const Explanation::Refusal& refusal) {
  const dialect::ErrorRow& row = dialect::error_row(refusal.kind);
  std::string out = fmt::format("refused: {} {}: ", row.status, row.error_type);
  if (!refusal.param.empty()) out += refusal.param + ": ";
  out += refusal.message;
  if (refusal.retry_after_s >= 0) {
    out += fmt::format(" (again in {} s)", refusal.retry_after_s);
  }
  return out + "\n";
}

// ---- JSON --------------------------------------------------------------------------------------

std::string name_array(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ",") + json_text(name);
  return "[" + out + "]";
}

std::string price_json(policy::Picodollars price) {
  if (price == policy::Prices::kUnstated) return "null";
  return json_text(price_text(price, PriceUnit::kPerMillion));
}

// The object's members, without its braces.
std::string members_of(const Explanation::Endpoint& endpoint) {
  return fmt::format(
      R"("model":{},"endpoint":{},"provider":{},"price_per_million":{{"prompt":{},"completion":{}}})",
      json_text(endpoint.model), json_text(endpoint.tag), json_text(endpoint.provider),
      price_json(endpoint.prompt), price_json(endpoint.completion));
}

std::string json_of(const Explanation::Candidate& candidate) {
  std::vector<std::string_view> reasons;
  for (const PlaceReason reason : candidate.reasons) reasons.push_back(row_of(reason).name);
  return fmt::format(
      R"({{{},"reasons":{},"first_chance":{},"dropped_parameters":{},"reasoning_on":{}}})",
      members_of(candidate.endpoint), name_array(reasons),
      candidate.first_chance > 0 ? fmt::format("{:.4g}", candidate.first_chance) : "null",
      name_array(names_of(candidate.dropped)), candidate.reasoning_on);
}

std::string json_of(const Explanation::Excluded& excluded) {
  return fmt::format(R"({{{},"reason":{},"text":{},"missing_parameters":{}}})",
                     members_of(excluded.endpoint), json_text(policy::name_of(excluded.reason)),
                     json_text(policy::text_of(excluded.reason)),
                     name_array(names_of(excluded.missing)));
}

template <class T>
std::string array_of(const std::vector<T>& items) {
  std::string out;
  for (const T& item : items) out += (out.empty() ? "" : ",") + json_of(item);
  return "[" + out + "]";
}

std::string json_of(const Explanation::Refusal& refusal) {
  const dialect::ErrorRow& row = dialect::error_row(refusal.kind);
  return fmt::format(R"({{"code":{},"error_type":{},"message":{},"param":{},"retry_after_s":{}}})",
                     row.status, json_text(row.error_type), json_text(refusal.message),
                     refusal.param.empty() ? "null" : json_text(refusal.param),
                     refusal.retry_after_s < 0 ? "null" : fmt::to_string(refusal.retry_after_s));
}

}  // namespace

std::string explanation_text(const Explanation& explanation) {
  std::string out;
  if (!explanation.key.empty()) out += fmt::format("key: {}\n", explanation.key);
  if (explanation.refusal) out += text_of(*explanation.refusal);
  if (!explanation.candidates.empty()) out += "candidates, in the order in which they are tried:\n";
  for (std::size_t i = 0; i < explanation.candidates.size(); ++i) {
    out += fmt::format("{:>3}. {}", i + 1, text_of(explanation.candidates[i]));
  }
  if (!explanation.excluded.empty()) out += "not asked:\n";
  for (const Explanation::Excluded& excluded : explanation.excluded) out += text_of(excluded);
  return out;
}

std::string explanation_json(const Explanation& explanation) {
  return fmt::format(R"({{"outcome":"{}","key":{},"candidates":{},"excluded":{},"error":{}}})",
                     explanation.refusal ? "refused" : "planned",
                     explanation.key.empty() ? "null" : json_text(explanation.key),
                     array_of(explanation.candidates), array_of(explanation.excluded),
                     explanation.refusal ? json_of(*explanation.refusal) : "null");
}

}  // namespace leat::control
