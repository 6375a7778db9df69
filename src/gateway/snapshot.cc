// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "policy/key_choice.h"
#include "proto/json_writer.h"
#include "tls/digest.h"

namespace leat::gateway {

std::size_t Snapshot::DigestHash::operator()(const KeyDigest& digest) const {
  // SHA-256 is its own hash: an attacker cannot choose colliding prefixes more cheaply than keys.
  std::size_t word;
  std::memcpy(&word, digest.data(), sizeof word);
  return word;
}

Snapshot::Snapshot(const Options& options, std::shared_ptr<const RoutedCatalogue> routed,
                   std::span<const std::vector<std::string_view>> bearers,
                   std::int64_t created_unix_s)
    : options_(options), routed_(std::move(routed)) {
  LEAT_CHECK(bearers.size() == options_.providers.size());
  for (std::size_t i = 0; i < bearers.size(); ++i) {
    const Provider& provider = options_.providers[i];
    const std::string& authority = provider.base_url.authority;
    auto keys = bearers[i].empty() ? std::vector<std::string_view>(1) : bearers[i];
    LEAT_CHECK(keys.size() <= policy::kKeysMax);
    providers_.push_back({&provider, std::move(keys),
                          provider.base_url.path_prefix + "/chat/completions",
                          authority.empty() ? provider.name : authority});
  }
  for (std::size_t i = 0; i < options_.keys.size(); ++i) {
    keys_.emplace(options_.keys[i].sha256, static_cast<int>(i));
  }
  set_times();
  set_ceilings();
  write_models(created_unix_s);
}

// What a model of the options says of its times; the limits where none does.
void Snapshot::set_times() {
  std::unordered_map<std::string_view, const Model*> stated;
  for (const Model& model : options_.models) stated.emplace(model.id, &model);
  const auto either = [](std::uint32_t own, std::uint32_t common) {
    return milliseconds(own != 0 ? own : common);
  };
  for (const policy::Model& model : catalogue().models()) {
    const auto found = stated.find(model.id);
    const Model own = found == stated.end() ? Model() : *found->second;
    const Limits& limits = options_.limits;
    ModelTimes times;
    times.first_token.max = either(own.first_byte_ms_max, limits.first_byte_ms_max);
    times.first_token.min =
        std::min(either(own.first_byte_ms_min, limits.first_byte_ms_min), times.first_token.max);
    times.chunk_gap_max = either(own.chunk_gap_ms_max, limits.chunk_gap_ms_max);
    times.request_max = either(own.request_ms_max, limits.request_ms_max);
    times_.push_back(times);
  }
}

void Snapshot::set_ceilings() {
  const auto resolve = [this](const std::vector<std::string>& names) {
    auto& matches = slugs_.emplace_back();
    for (const std::string& name : names) matches.push_back(catalogue().find_slug(name));
    return std::span<const policy::SlugMatch>(matches);  // moving a vector moves no element
  };
  for (const ClientKey& key : options_.keys) {
    policy::KeyCeilings ceilings;
    ceilings.has_only = key.routing.has_only;
    ceilings.only = resolve(key.routing.only);
    ceilings.ignore = resolve(key.routing.ignore);
    ceilings.zdr = key.routing.zdr;
    ceilings.deny_data_collection = key.routing.deny_data_collection;
    for (const std::string& region : key.routing.regions) {
      ceilings.regions |= catalogue().region_bit(region);
    }
    // Regions where nobody is leave nothing, not everything.
    if (!key.routing.regions.empty() && ceilings.regions == 0) {
      ceilings.has_only = true;
      ceilings.only = {};
    }
    ceilings_.push_back(ceilings);
  }
  if (ceilings_.empty()) ceilings_.emplace_back();
}

int Snapshot::find_key(const KeyDigest& digest) const {
  const auto found = keys_.find(digest);
  if (found == keys_.end() || !tls::equal_constant_time(found->first, digest)) return -1;
  return found->second;
}

namespace {

std::string json_string(std::string_view text) {
  std::string room(text.size() * 6 + 2, '\0');
  proto::JsonWriter out(room);
  out.string(text);
  return std::string(out.text());
}

// The keys that @openrouter/sdk demands of a model (openrouter-api.md 1.2); what nobody told us is
// null or empty, prices are absent until there is a catalogue.
std::string openrouter_model(const Model& model, std::int64_t created, std::string_view owner) {
  const std::string id = json_string(model.id);
  const std::string context =
      model.context_tokens == 0 ? "null" : std::to_string(model.context_tokens);
  return "{\"id\":" + id + ",\"canonical_slug\":" + id +
         ",\"name\":" + json_string(model.name.empty() ? model.id : model.name) +
         ",\"created\":" + std::to_string(created) +
         ",\"object\":\"model\",\"owned_by\":" + json_string(owner) +
         ",\"description\":\"\",\"context_length\":" + context +
         ",\"architecture\":{\"modality\":\"text->text\",\"input_modalities\":[\"text\"],"
         "\"output_modalities\":[\"text\"],\"tokenizer\":\"Other\",\"instruct_type\":null},"
         "\"pricing\":{\"prompt\":\"0\",\"completion\":\"0\"},"
         "\"top_provider\":{\"context_length\":" +
         context +
         ",\"max_completion_tokens\":null,\"is_moderated\":false},\"per_request_limits\":null,"
         "\"supported_parameters\":[],\"default_parameters\":null,\"supported_voices\":null,"
         "\"links\":{\"details\":" +
         json_string("/api/v1/models/" + model.id + "/endpoints") + "}}";
}

}  // namespace

void Snapshot::write_models(std::int64_t created_unix_s) {
  std::string openai;
  std::string openrouter;
  std::size_t count = 0;
  for (const Model& model : options_.models) {
    if (model.is_pattern()) continue;
    const std::int64_t created = model.created_unix_s != 0 ? model.created_unix_s : created_unix_s;
    const std::string_view owner = std::string_view(model.id).substr(0, model.id.find('/'));
    const char* comma = count++ == 0 ? "" : ",";
    openai += comma;
    openai += "{\"id\":" + json_string(model.id) +
              ",\"object\":\"model\",\"created\":" + std::to_string(created) +
              ",\"owned_by\":" + json_string(owner) + "}";
    openrouter += comma + openrouter_model(model, created, owner);
  }
  openai_models_ = "{\"object\":\"list\",\"data\":[" + openai + "]}";
  openrouter_models_ = "{\"data\":[" + openrouter + "],\"total_count\":" + std::to_string(count) +
                       ",\"links\":{\"next\":null}}";
}

}  // namespace leat::gateway
