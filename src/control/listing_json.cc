// SPDX-License-Identifier: Apache-2.0
#include "control/listing_json.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <vector>

#include "control/exact_price.h"
#include "proto/json_writer.h"

namespace leat::control {
namespace {

template <class E>
std::string name_list(policy::EnumSet<E> set) {
  std::string out = "[";
  for (unsigned i = 0; i < 64; ++i) {
    if ((set.bits() >> i & 1) == 0) continue;
    if (out.size() > 1) out += ',';
    out += fmt::format("\"{}\"", policy::name_of(static_cast<E>(i)));
  }
  return out + "]";
}

template <class E>
std::string joined_names(policy::EnumSet<E> set) {
  std::vector<std::string_view> names;
  for (unsigned i = 0; i < 64; ++i) {
    if ((set.bits() >> i & 1) != 0) names.push_back(policy::name_of(static_cast<E>(i)));
  }
  return fmt::format("{}", fmt::join(names, "+"));
}

std::string text_or_null(std::string_view text) {
  return text.empty() ? "null" : json_text(text);
}

std::string count_or_null(std::uint32_t count) {
  return count == 0 ? "null" : fmt::to_string(count);
}

std::string text_list(std::span<const std::string_view> texts) {
  std::string out = "[";
  for (const std::string_view text : texts) {
    if (out.size() > 1) out += ',';
    out += json_text(text);
  }
  return out + "]";
}

// The classes that are stated, as members with a comma behind each.
std::string price_members(const policy::Prices& prices) {
  std::string out;
  for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
    const auto price_class = static_cast<policy::PriceClass>(i);
    if (prices[price_class] == policy::Prices::kUnstated) continue;
    out += fmt::format("\"{}\":\"{}\",", policy::name_of(price_class),
                       price_text(prices[price_class], PriceUnit::kPerUnit));
  }
  return out;
}

std::string override_json(const policy::PriceOverride& override) {
  constexpr std::string_view kDays[] = {"sunday",   "monday", "tuesday", "wednesday",
                                        "thursday", "friday", "saturday"};
  constexpr std::uint8_t kAllDays = 0x7f;
  std::string out = price_members(override.prices);
  const auto hhmm = [](std::uint16_t minute) { return minute / 60 * 100 + minute % 60; };
  if (override.has_prompt_condition) {
    out += fmt::format("\"min_prompt_tokens\":{},", override.prompt_tokens_over);
  }
  if (override.utc_start != policy::PriceOverride::kAnyMinute) {
    out += fmt::format("\"utc_start\":{},\"utc_end\":{},", hhmm(override.utc_start),
                       hhmm(override.utc_end));
  }
  if (override.utc_days != kAllDays) {
    std::string days;
    for (unsigned day = 0; day < 7; ++day) {
      if ((override.utc_days >> day & 1) == 0) continue;
      days += fmt::format("{}\"{}\"", days.empty() ? "" : ",", kDays[day]);
    }
    out += fmt::format("\"utc_days\":[{}],", days);
  }
  if (!out.empty()) out.pop_back();
  return fmt::format("{{{}}}", out);
}

std::string date_of(std::int64_t unix_s) {
  const std::chrono::sys_seconds time{std::chrono::seconds(unix_s)};
  const std::chrono::year_month_day day{std::chrono::floor<std::chrono::days>(time)};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

// With one decimal, if that is not 0: more is noise in what is measured.
void append_rounded(std::string& out, double value) {
  const auto tenths = std::llround(value * 10);
  out += fmt::format_int(tenths / 10).c_str();
  if (tenths % 10 == 0) return;
  out += '.';
  out += static_cast<char>('0' + tenths % 10);
}

void append_percent(std::string& out, std::string_view key, const std::optional<double>& percent) {
  out += key;
  if (percent) {
    append_rounded(out, *percent);
  } else {
    out += "null";
  }
}

void append_percentiles(std::string& out, std::string_view key,
                        const std::optional<ListedPercentiles>& values) {
  out += key;
  if (!values) {
    out += "null";
    return;
  }
  out += "{\"p50\":";
  append_rounded(out, values->p50);
  out += ",\"p75\":";
  append_rounded(out, values->p75);
  out += ",\"p90\":";
  append_rounded(out, values->p90);
  out += ",\"p99\":";
  append_rounded(out, values->p99);
  out += '}';
}

// The part about reasoning, with a comma before it; empty for a model that does not reason.
std::string reasoning_member(const policy::Model& model) {
  const policy::ReasoningFacts& facts = model.reasoning;
  if (!model.parameters.has(policy::Parameter::kReasoning)) return "";
  return fmt::format(
      R"(,"reasoning":{{"supported_efforts":{},"default_effort":{},"default_enabled":{},)"
      R"("supports_max_tokens":{},"mandatory":{}}})",
      facts.efforts.empty() ? "null" : text_list(facts.efforts), text_or_null(facts.default_effort),
      facts.default_enabled, facts.supports_max_tokens, facts.mandatory);
}

}  // namespace

std::string json_text(std::string_view text) {
  // At worst each byte becomes \u00xx.
  constexpr std::size_t kEscapeMax = 6;
  std::string out(text.size() * kEscapeMax + 2, '\0');
  proto::JsonWriter writer(out);
  writer.string(text);
  out.resize(writer.size());
  return out;
}

std::string pricing_json(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint) {
  policy::Prices prices = endpoint.prices;
  // Clients insist on these two.
  for (const auto needed : {policy::PriceClass::kPrompt, policy::PriceClass::kCompletion}) {
    if (prices[needed] == policy::Prices::kUnstated) prices[needed] = 0;
  }
  std::string overrides;
  for (const policy::PriceOverride& override : catalogue.overrides_of(endpoint)) {
    overrides += overrides.empty() ? ",\"overrides\":[" : ",";
    overrides += override_json(override);
  }
  if (!overrides.empty()) overrides += ']';
  return fmt::format("{{{}\"discount\":0{}}}", price_members(prices), overrides);
}

policy::ModalitySet listed(policy::ModalitySet stated) {
  return stated.empty() ? policy::ModalitySet{policy::Modality::kText} : stated;
}

std::string architecture_json(const policy::Model& model) {
  const policy::ModalitySet input = listed(model.input);
  const policy::ModalitySet output = listed(model.output);
  return fmt::format(
      R"({{"modality":"{}->{}","input_modalities":{},"output_modalities":{},"tokenizer":{},)"
      R"("instruct_type":{}}})",
      joined_names(input), joined_names(output), name_list(input), name_list(output),
      json_text(model.tokenizer.empty() ? "Other" : model.tokenizer),
      text_or_null(model.instruct_type));
}

std::string provider_json(const policy::Provider& provider) {
  return fmt::format(R"({{"name":{},"slug":{},"privacy_policy_url":{},"terms_of_service_url":{},)"
                     R"("status_page_url":{},"headquarters":{},"datacenters":{}}})",
                     json_text(provider.name), json_text(provider.slug),
                     text_or_null(provider.privacy_policy_url),
                     text_or_null(provider.terms_of_service_url),
                     text_or_null(provider.status_page_url), text_or_null(provider.headquarters),
                     provider.datacenters.empty() ? "null" : text_list(provider.datacenters));
}

std::string model_json(const policy::Catalogue& catalogue, const policy::Model& model,
                       const ModelView& view) {
  const policy::Endpoint& shown = *view.shown;
  std::string alias;
  if (view.alias_target != nullptr) {
    alias = fmt::format(R"(,"alias_target":{{"name":{},"slug":{}}})",
                        json_text(view.alias_target->name), json_text(view.alias_target->id));
  }
  return fmt::format(
      R"({{"id":{},"canonical_slug":{},"hugging_face_id":{},"name":{},"created":{},)"
      R"("description":{},"context_length":{},"architecture":{},"pricing":{},)"
      R"("top_provider":{{"context_length":{},"max_completion_tokens":{},"is_moderated":{}}},)"
      R"("per_request_limits":null,"supported_parameters":{},"default_parameters":{},)"
      R"("supported_voices":null,"knowledge_cutoff":{},"expiration_date":{},)"
      R"("links":{{"details":{}}}{}{}}})",
      json_text(view.id), json_text(model.canonical_slug), text_or_null(model.hugging_face_id),
      json_text(view.name), view.created, json_text(model.description),
      count_or_null(model.context), architecture_json(model), pricing_json(catalogue, shown),
      count_or_null(shown.context), count_or_null(shown.completion_max), model.moderated,
      name_list(model.parameters),
      model.default_parameters_json.empty() ? "null" : model.default_parameters_json,
      text_or_null(model.knowledge_cutoff),
      model.expires == 0 ? "null" : json_text(date_of(model.expires)),
      json_text(fmt::format("/api/v1/models/{}/endpoints", model.id)), reasoning_member(model),
      alias);
}

std::string openai_model_json(std::string_view id, std::int64_t created, std::string_view owner) {
  return fmt::format(R"({{"id":{},"object":"model","created":{},"owned_by":{}}})", json_text(id),
                     created, json_text(owner));
}

std::string endpoint_json(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint,
                          std::string_view model_id, std::string_view model_name) {
  const policy::Provider& provider = catalogue.provider(endpoint.provider);
  const auto choice = [&](policy::ToolChoice value) { return endpoint.tool_choices.has(value); };
  return fmt::format(
      R"({{"name":{},"model_id":{},"model_name":{},"context_length":{},"pricing":{},)"
      R"("provider_name":{},"tag":{},"quantization":"{}","max_completion_tokens":{},)"
      R"("max_prompt_tokens":{},"supported_parameters":{},"supports_implicit_caching":{},)"
      R"("supports_tool_choice":{{"auto":{},"none":{},"required":{},"function":{}}},)"
      R"("supports_voice_cloning":false)",
      json_text(fmt::format("{} | {}", provider.name, model_id)), json_text(model_id),
      json_text(model_name), endpoint.context, pricing_json(catalogue, endpoint),
      json_text(provider.name), json_text(endpoint.tag), policy::name_of(endpoint.quantization),
      count_or_null(endpoint.completion_max), count_or_null(endpoint.prompt_max),
      name_list(endpoint.parameters), endpoint.implicit_caching, choice(policy::ToolChoice::kAuto),
      choice(policy::ToolChoice::kNone), choice(policy::ToolChoice::kRequired),
      choice(policy::ToolChoice::kFunction));
}

void append_health(std::string& out, const ListedHealth& health) {
  out += ",\"status\":";
  out += fmt::format_int(static_cast<int>(health.status)).c_str();
  append_percent(out, ",\"uptime_last_5m\":", health.uptime_percent_5m);
  append_percent(out, ",\"uptime_last_30m\":", health.uptime_percent_30m);
  append_percent(out, ",\"uptime_last_1d\":", health.uptime_percent_1d);
  append_percentiles(out, ",\"latency_last_30m\":", health.latency_ms_30m);
  append_percentiles(out, ",\"throughput_last_30m\":", health.tokens_per_second_30m);
  out += '}';
}

}  // namespace leat::control
