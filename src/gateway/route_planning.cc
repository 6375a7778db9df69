// SPDX-License-Identifier: Apache-2.0
#include "gateway/route_planning.h"

#include <algorithm>

#include "base/check.h"

namespace leat::gateway {
namespace {

const policy::KeyCeilings kNoCeilings;

using dialect::ErrorKind;
using policy::Picodollars;

static_assert(dialect::kModelsMax == policy::kRouteModelsMax);

constexpr std::size_t kShownModelBytesMax = 128;
// No tokenizer makes fewer tokens of ordinary text; escapes and keys of JSON count as text here, so
// this stays the lower bound that it has to be.
constexpr std::uint64_t kBytesOfTokenMax = 16;

// A model's id is no secret, and who mistyped one wants to see which: the one thing that an answer
// repeats of a request (openrouter-api.md 4.1, `requested_models`). The log does not have it.
PlanRefusal unknown_model(std::string_view id, const char* field) {
  std::size_t shown = std::min(id.size(), kShownModelBytesMax);
  // Not through the middle of a character.
  while (shown < id.size() && (static_cast<unsigned char>(id[shown]) & 0xc0) == 0x80) --shown;
  PlanRefusal refusal{.kind = ErrorKind::kModelNotFound, .param = field};
  refusal.message = "The model `";
  refusal.message.append(id.substr(0, shown)).append(shown < id.size() ? "..." : "");
  refusal.message.append("` does not exist here.");
  return refusal;
}

policy::SortBy sort_of(dialect::ProviderSort sort) {
  switch (sort) {
    case dialect::ProviderSort::kUnset:
      return policy::SortBy::kNone;
    case dialect::ProviderSort::kPrice:
      return policy::SortBy::kPrice;
    case dialect::ProviderSort::kThroughput:
      return policy::SortBy::kThroughput;
    case dialect::ProviderSort::kLatency:
      return policy::SortBy::kLatency;
    case dialect::ProviderSort::kExacto:
      return policy::SortBy::kExacto;
  }
  return policy::SortBy::kNone;
}

policy::SortBy sort_of(RoutingSort sort) {
  switch (sort) {
    case RoutingSort::kBalance:
      return policy::SortBy::kNone;
    case RoutingSort::kPrice:
      return policy::SortBy::kPrice;
    case RoutingSort::kThroughput:
      return policy::SortBy::kThroughput;
    case RoutingSort::kLatency:
      return policy::SortBy::kLatency;
  }
  return policy::SortBy::kNone;
}

policy::RequestTier tier_of(dialect::ServiceTier tier) {
  switch (tier) {
    case dialect::ServiceTier::kDefault:
      return policy::RequestTier::kDefault;
    case dialect::ServiceTier::kFlex:
      return policy::RequestTier::kFlex;
    case dialect::ServiceTier::kPriority:
      return policy::RequestTier::kPriority;
    default:
      return policy::RequestTier::kUnset;
  }
}

policy::ToolChoiceSet tool_choice_of(dialect::ToolChoice choice) {
  switch (choice) {
    case dialect::ToolChoice::kNone:
      return {policy::ToolChoice::kNone};
    case dialect::ToolChoice::kAuto:
      return {policy::ToolChoice::kAuto};
    case dialect::ToolChoice::kRequired:
      return {policy::ToolChoice::kRequired};
    case dialect::ToolChoice::kFunction:
      return {policy::ToolChoice::kFunction};
    default:
      return {};
  }
}

policy::Cutoffs cutoffs_of(const dialect::PercentileCutoffs& from) {
  policy::Cutoffs cutoffs{};
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    if (from.has(static_cast<dialect::PercentileCutoffs::Index>(i))) {
      cutoffs[i] = static_cast<float>(from.values[i]);
    }
  }
  return cutoffs;
}

// Nano-dollars a million tokens, or a unit, to pico-dollars a unit.
policy::MaxPrice max_price_of(const dialect::PriceCeilings& from) {
  using dialect::PriceCeilings;
  const auto of_token = [](std::int64_t price) -> Picodollars {
    return price == PriceCeilings::kNone ? policy::Prices::kUnstated : price / 1'000;
  };
  const auto of_unit = [](std::int64_t price) -> Picodollars {
    if (price == PriceCeilings::kNone) return policy::Prices::kUnstated;
    return std::min<std::int64_t>(price, policy::kPriceMax / 1'000) * 1'000;
  };
  return {.prompt = of_token(from.prompt),
          .completion = of_token(from.completion),
          .request = of_unit(from.request),
          .image = of_unit(from.image),
          .audio = of_unit(from.audio)};
}

}  // namespace

proto::JsonLimits json_limits(const Limits& limits) {
  proto::JsonLimits json;
  json.depth_max = limits.json_depth_max;
  json.keys_max = limits.json_keys_max;
  json.tokens_max = limits.json_tokens_max;
  return json;
}

bool read_request(const proto::JsonScanner& scanner, std::string_view body,
                  dialect::ChatRequest& chat, dialect::RoutingFields& fields,
                  dialect::RoutingFault& fault) {
  if (const auto wrong = dialect::read_chat_request(scanner, body, chat)) {
    return fault.set(wrong->message, wrong->param);
  }
  if (!dialect::read_routing_fields(scanner, body, fields, fault)) return false;
  chat.reasoning = fields.reasoning;
  chat.extras = fields.extras;
  return true;
}

std::optional<PlanRefusal> RoutePlanner::resolve_models(const policy::Catalogue& catalogue,
                                                        const dialect::RoutingFields& fields,
                                                        const KeyAccess* access) {
  model_count_ = 0;
  if (fields.models().empty()) {
    return PlanRefusal{
        .kind = ErrorKind::kInvalidRequest, .message = "model is required", .param = "model"};
  }
  for (const dialect::ModelName& name : fields.models()) {
    const char* const field = fields.model_field(model_count_);
    if (!name.preset.empty()) {
      return PlanRefusal{.kind = ErrorKind::kNotImplemented,
                         .message = "presets are not served here",
                         .param = field};
    }
    policy::ModelRef ref = catalogue.resolve(name.full);
    if (ref.model == policy::kNoId) return unknown_model(name.full, field);
    ref.is_closed = access != nullptr && !access->allows_model(catalogue.model(ref.model).id);
    models_[model_count_++] = ref;
  }
  return std::nullopt;
}

std::span<const policy::SlugMatch> RoutePlanner::resolve_slugs(
    const policy::Catalogue& catalogue, std::span<const std::string_view> slugs) {
  const std::size_t begin = slug_count_;
  for (const std::string_view slug : slugs) slugs_[slug_count_++] = catalogue.find_slug(slug);
  return std::span(slugs_).subspan(begin, slugs.size());
}

void RoutePlanner::set_request(const Snapshot& snapshot, const dialect::RoutingFields& fields,
                               const PlanningFacts& facts) {
  const policy::Catalogue& catalogue = snapshot.catalogue();
  const dialect::ProviderPreferences& wish = fields.provider;
  slug_count_ = 0;
  policy::RouteRequest& request = request_;
  request = {};
  request.models = models();
  if (wish.set) {
    request.order = resolve_slugs(catalogue, wish.order());
    request.only = resolve_slugs(catalogue, wish.only());
    request.has_only = !request.only.empty();
    request.ignore = resolve_slugs(catalogue, wish.ignore());
    request.quantizations = policy::QuantizationSet::of_bits(wish.quantizations);
    request.min_throughput = cutoffs_of(wish.min_throughput);
    request.max_latency_s = cutoffs_of(wish.max_latency);
    request.max_price = max_price_of(wish.max_price);
  }
  request.allow_fallbacks = wish.allow_fallbacks;
  request.require_parameters = wish.require_parameters;
  request.deny_data_collection = wish.data_collection == dialect::DataCollection::kDeny;
  request.zdr = wish.zdr;
  request.enforce_distillable_text = wish.enforce_distillable_text;
  request.partition_none = wish.partition == dialect::SortPartition::kNone;
  request.sort = sort_of(wish.sort);
  request.default_sort = sort_of(snapshot.options().routing.sort);
  request.parameters = policy::ParameterSet::of_bits(fields.parameters.bits());
  request.server_tools = fields.has_server_tools;
  request.tool_choice = tool_choice_of(fields.tool_choice);
  request.input = policy::ModalitySet::of_bits(fields.input_modalities);
  request.output =
      facts.output.empty() ? policy::ModalitySet::of_bits(fields.output_modalities) : facts.output;
  // Of what is no text, bytes say nothing about tokens.
  const bool is_text = (request.input - policy::ModalitySet{policy::Modality::kText}).empty();
  request.prompt_tokens = is_text ? static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                        facts.body_bytes / kBytesOfTokenMax, UINT32_MAX))
                                  : 0;
  request.output_max = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(facts.output_max, 0, std::int64_t{UINT32_MAX}));
  request.tier = tier_of(fields.service_tier);
  request.sticky = facts.sticky;
}

std::optional<PlanRefusal> RoutePlanner::make(const Snapshot& snapshot,
                                              const dialect::RoutingFields& fields,
                                              const PlanningFacts& facts, Rng& rng) {
  if (auto refusal = resolve_models(snapshot.catalogue(), fields, facts.access)) return refusal;
  if (!fields.preset.empty()) {
    return PlanRefusal{.kind = ErrorKind::kNotImplemented,
                       .message = "presets are not served here",
                       .param = "preset"};
  }
  set_request(snapshot, fields, facts);
  std::size_t own_keys = facts.request_keys.size();
  std::ranges::copy(facts.request_keys, own_keys_.begin());
  if (facts.own_keys != nullptr) {
    own_keys += own_key_rules(*facts.own_keys, facts.key, snapshot.catalogue(), models(),
                              std::span(own_keys_).subspan(own_keys))
                    .size();
  }
  policy::make_plan({.catalogue = snapshot.catalogue(),
                     .request = request_,
                     .ceilings = facts.access != nullptr ? facts.access->ceilings() : kNoCeilings,
                     .health = facts.health,
                     .now = facts.now,
                     .utc = policy::UtcMoment::of(facts.wall),
                     .own_keys = std::span(own_keys_).first(own_keys)},
                    rng, plan_);
  if (plan_.outcome == policy::PlanOutcome::kPlanned) return std::nullopt;
  return refusal_of(fields, facts);
}

// `:online`, `:exacto`, or the sort that is exacto's.
PlanRefusal RoutePlanner::refusal_of_variant(const dialect::RoutingFields& fields) const {
  PlanRefusal refusal{.kind = ErrorKind::kInvalidRequest, .param = "provider.sort"};
  const auto asks = [&](const policy::ModelRef& ref) {
    return ref.variants.has(plan_.variant_not_served);
  };
  const auto asking = std::ranges::find_if(models(), asks);
  if (asking == models().end()) {
    refusal.message = "the sort exacto is not served here";
    return refusal;
  }
  refusal.param = fields.model_field(static_cast<std::size_t>(asking - models().begin()));
  refusal.message.append("`:").append(name_of(plan_.variant_not_served));
  refusal.message.append("` is not served here");
  return refusal;
}

PlanRefusal RoutePlanner::refusal_of(const dialect::RoutingFields& fields,
                                     const PlanningFacts& facts) const {
  switch (plan_.outcome) {
    case policy::PlanOutcome::kAllLimited: {
      constexpr std::int64_t kSecond = 1'000'000'000;
      const std::int64_t wait = plan_.retry_at.ns - facts.now.ns;
      return {.kind = ErrorKind::kCapacityExhausted,
              .message = "Every endpoint that could serve this request is at its rate limit.",
              .retry_after_s = std::clamp<std::int64_t>((wait + kSecond - 1) / kSecond, 1, 3'600)};
    }
    case policy::PlanOutcome::kVariantNotServed:
      return refusal_of_variant(fields);
    default:
      break;
  }
  PlanRefusal refusal{.kind = ErrorKind::kNoEndpoints};
  refusal.message = "No endpoint of the model can serve this request";
  // Reasons stand in the order of the rules: the last is that of the endpoint that came furthest.
  for (std::size_t i = policy::kExclusions; i-- > 0;) {
    if (plan_.counts[i] == 0) continue;
    if (static_cast<policy::Exclusion>(i) == policy::Exclusion::kServerTools) {
      return {.kind = ErrorKind::kInvalidRequest,
              .message = "server tools (`openrouter:...`) are not run here",
              .param = "tools"};
    }
    refusal.message.append(": ").append(policy::text_of(static_cast<policy::Exclusion>(i)));
    break;
  }
  return refusal;
}

dialect::ErrorDetail RoutePlanner::detail_of(const PlanRefusal& refusal, const Snapshot& snapshot,
                                             RefusalLists& lists) const {
  dialect::ErrorDetail detail{.message = refusal.message, .param = refusal.param};
  const bool is_about_endpoints =
      refusal.kind == ErrorKind::kNoEndpoints || refusal.kind == ErrorKind::kCapacityExhausted;
  if (!is_about_endpoints) return detail;
  const policy::Catalogue& catalogue = snapshot.catalogue();
  std::size_t count = 0;
  for (const policy::Excluded& excluded : plan_.excluded()) {
    if (count == lists.exclusions.size()) break;
    const policy::Endpoint& endpoint = catalogue.endpoint(excluded.endpoint);
    lists.exclusions[count++] = {endpoint.tag, catalogue.model(endpoint.model).id,
                                 name_of(excluded.reason)};
  }
  detail.exclusions = std::span(lists.exclusions).first(count);
  std::size_t models = 0;
  for (const policy::ModelRef& ref : this->models()) {
    if (models < lists.models.size()) lists.models[models++] = catalogue.model(ref.model).id;
  }
  std::size_t reasons = 0;
  for (std::size_t i = 0; i < policy::kExclusions && reasons < lists.excluded_by.size(); ++i) {
    const std::string_view name = policy::excluded_by(static_cast<policy::Exclusion>(i));
    const auto told = std::span(lists.excluded_by).first(reasons);
    if (plan_.counts[i] == 0 || name.empty() || std::ranges::find(told, name) != told.end()) {
      continue;
    }
    lists.excluded_by[reasons++] = name;
  }
  lists.availability = {.retry_after_s = refusal.retry_after_s,
                        .requested_models = std::span(lists.models).first(models),
                        .excluded_by = std::span(lists.excluded_by).first(reasons)};
  detail.availability = &lists.availability;
  return detail;
}

}  // namespace leat::gateway
