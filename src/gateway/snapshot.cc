// SPDX-License-Identifier: Apache-2.0
#include "gateway/snapshot.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "proto/json_writer.h"
#include "tls/digest.h"

namespace leat::gateway {

std::size_t Snapshot::DigestHash::operator()(const KeyDigest& digest) const {
  // SHA-256 is its own hash: an attacker cannot choose colliding prefixes more cheaply than keys.
  std::size_t word;
  std::memcpy(&word, digest.data(), sizeof word);
  return word;
}

Snapshot::Snapshot(const Options& options, std::span<const std::string_view> bearers,
                   std::int64_t created_unix_s)
    : options_(options) {
  LEAT_CHECK(bearers.size() == options_.providers.size());
  for (std::size_t i = 0; i < bearers.size(); ++i) {
    const Provider& provider = options_.providers[i];
    const std::string& authority = provider.base_url.authority;
    providers_.push_back({&provider, bearers[i],
                          provider.base_url.path_prefix + "/chat/completions",
                          authority.empty() ? provider.name : authority});
  }
  for (std::size_t i = 0; i < options_.keys.size(); ++i) {
    keys_.emplace(options_.keys[i].sha256, static_cast<int>(i));
  }
  for (const Model& model : options_.models) {
    if (model.is_pattern()) {
      patterns_.push_back(&model);
    } else {
      exact_.emplace(model.id, &model);
    }
  }
  std::stable_sort(patterns_.begin(), patterns_.end(),
                   [](const Model* a, const Model* b) { return a->id.size() > b->id.size(); });
  write_models(created_unix_s);
}

int Snapshot::find_key(const KeyDigest& digest) const {
  const auto found = keys_.find(digest);
  if (found == keys_.end() || !tls::equal_constant_time(found->first, digest)) return -1;
  return found->second;
}

ModelMatch Snapshot::find_model(std::string_view id) const {
  if (const auto found = exact_.find(id); found != exact_.end()) return {found->second, {}};
  for (const Model* pattern : patterns_) {
    const std::string_view prefix(pattern->id.data(), pattern->id.size() - 1);
    if (id.size() > prefix.size() && id.starts_with(prefix)) {
      return {pattern, id.substr(prefix.size())};
    }
  }
  return {};
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
