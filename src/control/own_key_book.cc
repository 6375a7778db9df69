// SPDX-License-Identifier: Apache-2.0
#include "control/own_key_book.h"

#include <algorithm>

namespace leat::control {

namespace {

// Keys of a workspace, for those who made them.
constexpr std::int64_t kKeysMax = INT32_MAX;

}  // namespace

const OwnKeyBook::Opened& OwnKeyBook::opened(const ProviderKeyRecord& record) {
  const auto [at, is_new] = secrets_.try_emplace(record.id);
  Opened& opened = at->second;
  if (!is_new) return opened;
  opened.revision = ++last_revision_;
  std::string why = "there is no master key";
  if (master_) {
    const auto size = store_.unseal_provider_key(record.id, *master_, slots_.scratch());
    if (size) {
      opened.secret = slots_.put_written(*size);
      return opened;
    }
    why = size.error().text;
  }
  fault_ = "provider key " + record.uuid + " of a workspace is not used: " + why;
  return opened;
}

// Hashes of keys, and people, who are known by the keys that they made.
StoreResult<void> OwnKeyBook::limit_to(const ProviderKeyRecord& record, gateway::OwnKey& key) {
  if (record.allowed_key_hashes) {
    key.keys.emplace();
    KeyDigest digest;
    for (const std::string& hash : *record.allowed_key_hashes) {
      if (parse_digest(hash, digest)) key.keys->push_back(digest);
    }
  }
  if (!record.allowed_users) return {};
  people_.insert(record.workspace);
  const auto made =
      store_.keys({.workspace = record.workspace, .with_disabled = true, .count_max = kKeysMax});
  if (!made) return std::unexpected(made.error());
  std::vector<KeyDigest> theirs;
  for (const KeyRecord& each : *made) {
    const auto& users = *record.allowed_users;
    if (std::ranges::find(users, each.creator) == users.end()) continue;
    if (!key.keys || key.allows_key(each.digest)) theirs.push_back(each.digest);
  }
  key.keys = std::move(theirs);
  return {};
}

StoreResult<std::shared_ptr<const gateway::OwnKeys>> OwnKeyBook::of(policy::AccountId workspace) {
  const auto records = store_.provider_keys(workspace);
  if (!records) return std::unexpected(records.error());
  people_.erase(workspace);
  gateway::OwnKeys keys;
  for (const ProviderKeyRecord& record : *records) {
    if (!record.is_enabled) {
      forget(record.id);
      continue;
    }
    const Opened& opened = this->opened(record);
    gateway::OwnKey& key = keys.emplace_back();
    key.id = static_cast<std::uint32_t>(record.id);
    key.revision = opened.revision;
    key.provider = catalogue_->find_slug(record.provider).provider;
    key.secret = opened.secret;
    key.is_fallback = record.is_fallback;
    key.is_required = record.is_required;
    if (record.allowed_models) {
      key.access.has_models = true;
      key.access.models = *record.allowed_models;
    }
    if (const auto done = limit_to(record, key); !done) return std::unexpected(done.error());
  }
  if (keys.empty()) return nullptr;
  return std::make_shared<const gateway::OwnKeys>(std::move(keys));
}

}  // namespace leat::control
