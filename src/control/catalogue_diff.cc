// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_diff.h"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <utility>

#include "control/exact_price.h"

namespace leat::control {
namespace {

using ModelsById = std::map<std::string_view, const DraftModel*>;
using EndpointsByName = std::map<std::string, const DraftEndpoint*>;

// What tells an endpoint from the others of its model.
std::string name_of_endpoint(const DraftEndpoint& endpoint) {
  std::string name = endpoint.tag.empty() ? endpoint.provider : endpoint.tag;
  if (endpoint.tag.empty() && endpoint.tier != policy::ServiceTier::kDefault) {
    name += fmt::format("/{}", policy::name_of(endpoint.tier));
  }
  if (endpoint.variant) name += fmt::format(" :{}", policy::name_of(*endpoint.variant));
  return name;
}

EndpointsByName endpoints_of(const DraftModel& model) {
  EndpointsByName endpoints;
  for (const DraftEndpoint& one : model.endpoints) endpoints.emplace(name_of_endpoint(one), &one);
  return endpoints;
}

ModelsById models_of(const CatalogueDraft& draft) {
  ModelsById models;
  for (const DraftModel& model : draft.models) models.emplace(model.id, &model);
  return models;
}

std::string shown(policy::Picodollars price, policy::PriceClass price_class) {
  return price == policy::Prices::kUnstated ? "none" : price_text(price, unit_of(price_class));
}

std::string shown(std::uint32_t limit) {
  return limit == 0 ? "none" : fmt::to_string(limit);
}

class Diff {
 public:
  std::string text;

  void providers(const CatalogueDraft& before, const CatalogueDraft& after);
  void models(const CatalogueDraft& before, const CatalogueDraft& after);

 private:
  void model(const DraftModel& before, const DraftModel& after);
  void endpoint(std::string_view name, std::pair<const DraftModel&, const DraftEndpoint&> before,
                std::pair<const DraftModel&, const DraftEndpoint&> after);
  void changed(std::string_view name, std::string_view what, std::string_view before,
               std::string_view after) {
    if (before != after) text += fmt::format("~ {}: {} {} -> {}\n", name, what, before, after);
  }
};

// Calls `gone`, `come` or `both` for each key of two maps, in their order.
template <class Map, class Gone, class Come, class Both>
void walk(const Map& before, const Map& after, Gone gone, Come come, Both both) {
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && a->first < b->first)) {
      gone(*a++);
    } else if (a == before.end() || b->first < a->first) {
      come(*b++);
    } else {
      both(*a++, *b++);
    }
  }
}

void Diff::providers(const CatalogueDraft& before, const CatalogueDraft& after) {
  const auto by_slug = [](const CatalogueDraft& draft) {
    std::map<std::string_view, const DraftProvider*> providers;
    for (const DraftProvider& provider : draft.providers)
      providers.emplace(provider.slug, &provider);
    return providers;
  };
  const auto policy_text = [](const DraftProvider& provider) -> std::string {
    if (!provider.data) return "unknown";
    return fmt::format("trains={} publishes={} retention_days={}", provider.data->trains,
                       provider.data->publishes, provider.data->retention_days);
  };
  walk(
      by_slug(before), by_slug(after),
      [&](const auto& gone) { text += fmt::format("- provider {}\n", gone.first); },
      [&](const auto& come) { text += fmt::format("+ provider {}\n", come.first); },
      [&](const auto& a, const auto& b) {
        changed(fmt::format("provider {}", a.first), "data", policy_text(*a.second),
                policy_text(*b.second));
      });
}

void Diff::endpoint(std::string_view name,
                    std::pair<const DraftModel&, const DraftEndpoint&> before,
                    std::pair<const DraftModel&, const DraftEndpoint&> after) {
  const DraftEndpoint& a = before.second;
  const DraftEndpoint& b = after.second;
  for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
    const auto price_class = static_cast<policy::PriceClass>(i);
    changed(name, policy::name_of(price_class), shown(a.prices[price_class], price_class),
            shown(b.prices[price_class], price_class));
  }
  const auto context = [](const DraftModel& model, const DraftEndpoint& endpoint) {
    return shown(endpoint.context_tokens != 0 ? endpoint.context_tokens : model.context_tokens);
  };
  changed(name, "context_tokens", context(before.first, a), context(after.first, b));
  changed(name, "prompt_tokens_max", shown(a.prompt_tokens_max), shown(b.prompt_tokens_max));
  changed(name, "completion_tokens_max", shown(a.completion_tokens_max),
          shown(b.completion_tokens_max));
  const auto conditions = [](const DraftEndpoint& endpoint) {
    std::string all;
    for (const DraftOverride& override : endpoint.overrides) {
      const policy::PriceOverride& terms = override.terms;
      all += fmt::format("[over {} tokens, {}-{}, days {:#x}:", terms.prompt_tokens_over,
                         terms.utc_start, terms.utc_end, terms.utc_days);
      for (std::size_t i = 0; i < policy::kPriceClasses; ++i) {
        const auto price_class = static_cast<policy::PriceClass>(i);
        if (terms.prices[price_class] == policy::Prices::kUnstated) continue;
        all += fmt::format(" {} {}", policy::name_of(price_class),
                           shown(terms.prices[price_class], price_class));
      }
      all += "]";
    }
    return all.empty() ? "none" : all;
  };
  changed(name, "overrides", conditions(a), conditions(b));
}

void Diff::model(const DraftModel& before, const DraftModel& after) {
  changed(before.id, "context_tokens", shown(before.context_tokens), shown(after.context_tokens));
  walk(
      endpoints_of(before), endpoints_of(after),
      [&](const auto& gone) { text += fmt::format("- {} at {}\n", before.id, gone.first); },
      [&](const auto& come) { text += fmt::format("+ {} at {}\n", after.id, come.first); },
      [&](const auto& a, const auto& b) {
        endpoint(fmt::format("{} at {}", before.id, a.first), {before, *a.second},
                 {after, *b.second});
      });
}

void Diff::models(const CatalogueDraft& before, const CatalogueDraft& after) {
  walk(
      models_of(before), models_of(after),
      [&](const auto& gone) { text += fmt::format("- {}\n", gone.first); },
      [&](const auto& come) { text += fmt::format("+ {}\n", come.first); },
      [&](const auto& a, const auto& b) { model(*a.second, *b.second); });
}

}  // namespace

std::string catalogue_diff(const CatalogueDraft& before, const CatalogueDraft& after) {
  Diff diff;
  diff.providers(before, after);
  diff.models(before, after);
  return std::move(diff.text);
}

}  // namespace leat::control
