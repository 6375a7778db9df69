// SPDX-License-Identifier: Apache-2.0
#include "control/listing.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/listing_json.h"

namespace leat::control {
namespace {

using policy::PriceClass;

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

policy::Picodollars price_of(const policy::Endpoint& endpoint, PriceClass price_class) {
  return endpoint.prices.charged(price_class);
}

bool is_in(std::string_view word, const std::vector<std::string>& list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// The average of prompt and completion, which is what lists are sorted by.
policy::Picodollars mean_price(const policy::Endpoint& endpoint) {
  return price_of(endpoint, PriceClass::kPrompt) / 2 +
         price_of(endpoint, PriceClass::kCompletion) / 2;
}

}  // namespace

Listing::Listing(const policy::Catalogue& catalogue, std::int64_t created_unix_s)
    : catalogue_(&catalogue), created_unix_s_(created_unix_s) {
  for (policy::ModelId id = 0; id < catalogue.models().size(); ++id) add_entries(id);
  add_aliases();
  render_endpoints();
  render_providers();
  render_openai();
  all_models_ = models(ListingQuery(), "");
}

std::int64_t Listing::created(const Entry& entry) const {
  const std::int64_t stated = catalogue_->model(entry.model).created;
  return stated != 0 ? stated : created_unix_s_;
}

bool Listing::shows(const policy::Endpoint& endpoint, const Entry& entry) const {
  return !endpoint.disabled && endpoint.variant == entry.variant;
}

void Listing::add_entries(policy::ModelId id) {
  const policy::Model& model = catalogue_->model(id);
  if (model.hidden) return;
  std::vector<std::optional<policy::Variant>> variants{std::nullopt};
  for (std::size_t i = 0; i < policy::kVariants; ++i) {
    const auto variant = static_cast<policy::Variant>(i);
    if (model.variants.has(variant)) variants.emplace_back(variant);
  }
  for (const auto variant : variants) {
    Entry entry{.model = id, .variant = variant};
    entry.id = model.id;
    entry.name = model.name;
    if (variant) {
      entry.id += fmt::format(":{}", policy::name_of(*variant));
      entry.name += fmt::format(" ({})", policy::name_of(*variant));
    }
    for (policy::EndpointId at = model.endpoints_begin; at < model.endpoints_end; ++at) {
      const policy::Endpoint& endpoint = catalogue_->endpoint(at);
      // Nobody gets a tier's price without asking for the tier.
      if (!shows(endpoint, entry) || endpoint.tier != policy::ServiceTier::kDefault) continue;
      const bool is_first = entry.cheapest == policy::kNoId;
      if (is_first || mean_price(endpoint) < mean_price(catalogue_->endpoint(entry.cheapest))) {
        entry.cheapest = at;
      }
    }
    if (entry.cheapest == policy::kNoId) continue;
    const ModelView view{.id = entry.id,
                         .name = entry.name,
                         .created = created(entry),
                         .shown = &catalogue_->endpoint(entry.cheapest)};
    entry.json = model_json(*catalogue_, model, view);
    entries_.push_back(std::move(entry));
  }
}

// `~author/family-latest` stands in the list like a model; a second name of one does not.
void Listing::add_aliases() {
  for (const policy::Alias& alias : catalogue_->aliases()) {
    if (!alias.is_latest) continue;
    const policy::Model& target = catalogue_->model(alias.target);
    const auto of_target = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.model == alias.target && !entry.variant;
    });
    if (of_target == entries_.end()) continue;
    Entry entry = *of_target;
    entry.id = alias.name;
    entry.name = fmt::format("{} (latest)", target.name);
    entry.is_alias = true;
    const ModelView view{.id = entry.id,
                         .name = entry.name,
                         .created = created(entry),
                         .shown = &catalogue_->endpoint(entry.cheapest),
                         .alias_target = &target};
    entry.json = model_json(*catalogue_, target, view);
    entries_.push_back(std::move(entry));
  }
}

void Listing::render_endpoints() {
  constexpr std::size_t kHealthBytes = 256;
  endpoints_.resize(catalogue_->endpoints().size());
  for (policy::EndpointId id = 0; id < endpoints_.size(); ++id) {
    const policy::Endpoint& endpoint = catalogue_->endpoint(id);
    if (endpoint.disabled) continue;
    const policy::Model& model = catalogue_->model(endpoint.model);
    std::string model_id(model.id);
    if (endpoint.variant) model_id += fmt::format(":{}", policy::name_of(*endpoint.variant));
    endpoints_[id] = endpoint_json(*catalogue_, endpoint, model_id, model.name);
    if (keeps_nothing(id)) zdr_bytes_ += endpoints_[id].size() + kHealthBytes;
  }
}

void Listing::render_providers() {
  std::vector<bool> is_used(catalogue_->providers().size());
  for (const policy::Endpoint& endpoint : catalogue_->endpoints()) {
    if (!endpoint.disabled) is_used[endpoint.provider] = true;
  }
  providers_ = "{\"data\":[";
  for (policy::ProviderId id = 0; id < is_used.size(); ++id) {
    if (!is_used[id]) continue;
    if (providers_.back() == '}') providers_ += ',';
    providers_ += provider_json(catalogue_->provider(id));
  }
  providers_ += "]}";
}

void Listing::render_openai() {
  openai_models_ = R"({"object":"list","data":[)";
  for (const Entry& entry : entries_) {
    if (openai_models_.back() == '}') openai_models_ += ',';
    openai_models_ += openai_json(entry);
  }
  openai_models_ += "]}";
}

std::string Listing::openai_json(const Entry& entry) const {
  const std::string_view id = catalogue_->model(entry.model).id;
  return openai_model_json(entry.id, created(entry), id.substr(0, id.find('/')));
}

const Listing::Entry* Listing::find(std::string_view reference) const {
  const policy::ModelRef ref = catalogue_->resolve(reference);
  if (ref.model == policy::kNoId) return nullptr;
  const policy::VariantSet wanted = ref.variants & policy::kStaticVariants;
  for (const Entry& entry : entries_) {
    if (entry.model != ref.model) continue;
    // An alias of the same model has the same variant: either answers the question, and the model
    // itself comes first.
    policy::VariantSet has;
    if (entry.variant) has.add(*entry.variant);
    if (has == wanted) return &entry;
  }
  return nullptr;
}

bool Listing::passes(const Entry& entry, const ListingQuery& query) const {
  const policy::Model& model = catalogue_->model(entry.model);
  if (!query.output.empty() && !listed(model.output).has_any(query.output)) return false;
  if (!listed(model.input).has_all(query.input)) return false;
  if (!model.parameters.has_all(query.parameters)) return false;
  if (model.context < query.context_min) return false;
  const policy::Endpoint& shown = catalogue_->endpoint(entry.cheapest);
  const policy::Picodollars prompt = price_of(shown, PriceClass::kPrompt);
  const policy::Picodollars completion = price_of(shown, PriceClass::kCompletion);
  if (prompt < query.prompt_min || prompt > query.prompt_max) return false;
  if (completion < query.completion_min || completion > query.completion_max) return false;
  if (query.distillable && *query.distillable != model.distillable) return false;
  if (!query.tokenizer.empty() && lower(model.tokenizer) != query.tokenizer) return false;
  if (!query.words.empty() && lower(entry.name).find(query.words) == std::string::npos &&
      lower(entry.id).find(query.words) == std::string::npos) {
    return false;
  }
  if (!query.authors.empty() && !is_in(model.id.substr(0, model.id.find('/')), query.authors)) {
    return false;
  }
  const auto endpoints = catalogue_->endpoints_of(model);
  return std::any_of(endpoints.begin(), endpoints.end(), [&](const policy::Endpoint& endpoint) {
    const policy::Provider& provider = catalogue_->provider(endpoint.provider);
    return shows(endpoint, entry) && (!query.zdr || endpoint.data.zero_retention()) &&
           (query.region.empty() || endpoint.region == query.region) &&
           (query.providers.empty() || is_in(provider.slug, query.providers) ||
            is_in(lower(provider.name), query.providers));
  });
}

std::vector<const Listing::Entry*> Listing::chosen(const ListingQuery& query) const {
  std::vector<const Entry*> list;
  for (const Entry& entry : entries_) {
    if (passes(entry, query)) list.push_back(&entry);
  }
  const auto price = [this](const Entry* entry) {
    return mean_price(catalogue_->endpoint(entry->cheapest));
  };
  const auto model = [this](const Entry* entry) -> const policy::Model& {
    return catalogue_->model(entry->model);
  };
  std::stable_sort(list.begin(), list.end(), [&](const Entry* a, const Entry* b) {
    switch (query.sort) {
      case ListingSort::kNone:
        return false;
      case ListingSort::kCheapest:
        return price(a) < price(b);
      case ListingSort::kDearest:
        return price(a) > price(b);
      case ListingSort::kLongestContext:
        return model(a).context > model(b).context;
      case ListingSort::kNewest:
        return created(*a) > created(*b);
    }
    return false;
  });
  return list;
}

std::string Listing::models(const ListingQuery& query, std::string_view path) const {
  const std::vector<const Entry*> list = chosen(query);
  constexpr std::size_t kPageDefault = 500;
  const bool is_paged = query.limit.has_value() || query.offset != 0;
  const std::size_t begin = std::min(query.offset, list.size());
  const std::size_t page = is_paged ? query.limit.value_or(kPageDefault) : list.size();
  const std::size_t end = begin + std::min(page, list.size() - begin);
  constexpr std::size_t kRestBytes = 256;
  std::size_t bytes = kRestBytes;
  for (std::size_t i = begin; i < end; ++i) bytes += list[i]->json.size() + 1;
  std::string out;
  out.reserve(bytes);
  out += "{\"data\":[";
  for (std::size_t i = begin; i < end; ++i) {
    if (i != begin) out += ',';
    out += list[i]->json;
  }
  std::string next = "null";
  if (end < list.size())
    next = json_text(fmt::format("{}{}offset={}&limit={}", path,
                                 path.find('?') == path.npos ? '?' : '&', end, page));
  out += fmt::format("],\"total_count\":{},\"links\":{{\"next\":{}}}}}", list.size(), next);
  return out;
}

std::string Listing::count(const ListingQuery& query) const {
  return fmt::format("{{\"data\":{{\"count\":{}}}}}", chosen(query).size());
}

std::optional<std::string> Listing::model(std::string_view reference) const {
  const Entry* entry = find(reference);
  if (entry == nullptr) return {};
  return fmt::format("{{\"data\":{}}}", entry->json);
}

std::optional<std::string> Listing::openai_model(std::string_view reference) const {
  const Entry* entry = find(reference);
  if (entry == nullptr) return {};
  return openai_json(*entry);
}

void Listing::append_endpoint(std::string& out, policy::EndpointId id,
                              const KnownHealth& health) const {
  if (out.back() == '}') out += ',';
  out += endpoints_[id];
  append_health(out, listed_health(health, id));
}

std::optional<std::string> Listing::endpoints(std::string_view reference,
                                              const KnownHealth& health) const {
  const Entry* entry = find(reference);
  if (entry == nullptr) return {};
  const policy::Model& model = catalogue_->model(entry->model);
  std::string out =
      fmt::format(R"({{"data":{{"id":{},"name":{},"created":{},"description":{},"architecture":{},)"
                  R"("endpoints":[)",
                  json_text(entry->id), json_text(entry->name), created(*entry),
                  json_text(model.description), architecture_json(model));
  for (policy::EndpointId id = model.endpoints_begin; id < model.endpoints_end; ++id) {
    if (shows(catalogue_->endpoint(id), *entry)) append_endpoint(out, id, health);
  }
  out += "]}}";
  return out;
}

bool Listing::keeps_nothing(policy::EndpointId id) const {
  const policy::Endpoint& endpoint = catalogue_->endpoint(id);
  return !endpoint.disabled && endpoint.data.zero_retention() &&
         !catalogue_->model(endpoint.model).hidden;
}

std::string Listing::zdr_endpoints(const KnownHealth& health) const {
  std::string out;
  out.reserve(zdr_bytes_);
  out += "{\"data\":[";
  for (policy::EndpointId id = 0; id < endpoints_.size(); ++id) {
    if (!keeps_nothing(id)) continue;
    append_endpoint(out, id, health);
  }
  out += "]}";
  return out;
}

}  // namespace leat::control
