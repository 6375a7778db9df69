// SPDX-License-Identifier: Apache-2.0
// Snapshot: what a request is decided by - keys, models, providers, limits - in the form that
// looking up needs. Built once from Options, then immutable: every shard reads the same one through
// a plain reference, no shard writes it. Holds views of secrets, which live in the locked arena; it
// must not outlive that.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "leat/options.h"

namespace leat::gateway {

using KeyDigest = std::array<std::uint8_t, 32>;

struct SnapshotProvider {
  const Provider* options = nullptr;
  std::string_view bearer;  // in the secret arena; empty: no Authorization upstream
  std::string chat_target;  // path of the chat endpoint
  std::string host;         // the Host field
};

// A model found for what a client asked: `rest` is what a pattern's star stood for.
struct ModelMatch {
  const Model* model = nullptr;
  std::string_view rest;

  // The endpoint's own name for the model.
  std::string_view upstream_name(const Endpoint& endpoint) const {
    return endpoint.model == "*" ? rest : std::string_view(endpoint.model);
  }
};

class Snapshot {
 public:
  // `bearers`: one view for each provider of `options`. `created_unix_s` stands in for models that
  // do not say when they were made.
  Snapshot(const Options& options, std::span<const std::string_view> bearers,
           std::int64_t created_unix_s);
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const Options& options() const { return options_; }
  const Limits& limits() const { return options_.limits; }
  const std::vector<SnapshotProvider>& providers() const { return providers_; }

  // The key's index in Options::keys, or -1. The time does not depend on how much of a wrong digest
  // is right.
  int find_key(const KeyDigest& digest) const;
  // An exact id, else the longest pattern. `model` null: unknown.
  ModelMatch find_model(std::string_view id) const;

  // The bodies of GET .../models.
  std::string_view models_body(bool openrouter) const {
    return openrouter ? openrouter_models_ : openai_models_;
  }

 private:
  struct DigestHash {
    std::size_t operator()(const KeyDigest& digest) const;
  };
  void write_models(std::int64_t created_unix_s);

  const Options options_;
  std::vector<SnapshotProvider> providers_;
  std::unordered_map<KeyDigest, int, DigestHash> keys_;
  std::unordered_map<std::string_view, const Model*> exact_;
  std::vector<const Model*> patterns_;  // longest prefix first
  std::string openai_models_;
  std::string openrouter_models_;
};

}  // namespace leat::gateway
