// SPDX-License-Identifier: Apache-2.0
#include "control/key_publisher.h"

#include <algorithm>
#include <map>

#include "control/account_text.h"
#include "gateway/configured_keys.h"

namespace leat::control {

namespace {

using gateway::AccountRow;
using gateway::KeyDelta;
using gateway::KeyEntry;
using gateway::resolve_access;
using policy::AccountId;

bool comes_before(const KeyEntry& a, const KeyEntry& b) {
  return a.row.digest < b.row.digest;
}

}  // namespace

KeyPublisher::KeyPublisher(AccountStore& store, const policy::Catalogue& catalogue,
                           std::vector<KeyEntry> configured, std::optional<tls::AeadKey> master)
    : store_(store),
      catalogue_(&catalogue),
      configured_(std::move(configured)),
      own_keys_(store, catalogue, master) {
  std::sort(configured_.begin(), configured_.end(), comes_before);
}

void KeyPublisher::set_configuration(const policy::Catalogue& catalogue,
                                     std::vector<KeyEntry> configured) {
  catalogue_ = &catalogue;
  own_keys_.set_catalogue(catalogue);
  configured_ = std::move(configured);
  std::sort(configured_.begin(), configured_.end(), comes_before);
}

bool KeyPublisher::is_configured(const KeyDigest& digest) const {
  return std::binary_search(configured_.begin(), configured_.end(),
                            KeyEntry{.row = {.digest = digest}}, comes_before);
}

void KeyPublisher::put(const policy::Organisation& organisation, KeyDelta& delta) {
  organisations_[organisation.id] = organisation.access;
  const auto id = static_cast<std::uint32_t>(organisation.id);
  delta.append(table_.put(AccountRow{.id = id,
                                     .organisation = id,
                                     .is_enabled = organisation.is_enabled,
                                     .is_prepaid = organisation.is_prepaid,
                                     .granted = organisation.granted,
                                     .quota = organisation.quota,
                                     .access = resolve_access(organisation.access, *catalogue_)}));
}

StoreResult<void> KeyPublisher::put(const policy::Workspace& workspace, KeyDelta& delta) {
  auto own_keys = own_keys_.of(workspace.id);
  if (!own_keys) return std::unexpected(own_keys.error());
  const policy::Access access = narrowed(organisations_[workspace.organisation], workspace.access);
  workspaces_[workspace.id] = {workspace.organisation, access};
  delta.append(
      table_.put(AccountRow{.id = static_cast<std::uint32_t>(workspace.id),
                            .organisation = static_cast<std::uint32_t>(workspace.organisation),
                            .is_workspace = true,
                            .is_enabled = workspace.is_enabled,
                            .quota = workspace.quota,
                            .access = resolve_access(access, *catalogue_),
                            .own_keys = std::move(*own_keys)}));
  return {};
}

StoreResult<void> KeyPublisher::put_workspaces(AccountId organisation, KeyDelta& delta) {
  const auto records = store_.workspaces(organisation);
  if (!records) return std::unexpected(records.error());
  for (const WorkspaceRecord& record : *records) {
    if (const auto done = put(record.workspace, delta); !done) return done;
  }
  return {};
}

policy::Access KeyPublisher::access_above(const policy::Key& key) const {
  if (const auto found = workspaces_.find(key.workspace); found != workspaces_.end()) {
    return found->second.access;
  }
  const auto found = organisations_.find(key.organisation);
  return found == organisations_.end() ? policy::Access() : found->second;
}

KeyEntry KeyPublisher::entry(const policy::Key& key, const KeyDigest& digest) const {
  if (is_open(key.access)) return gateway::entry_of(key, digest, nullptr);
  return gateway::entry_of(key, digest,
                           resolve_access(narrowed(access_above(key), key.access), *catalogue_));
}

StoreResult<void> KeyPublisher::load() {
  store_.take_changes();
  table_.clear();
  organisations_.clear();
  workspaces_.clear();
  own_keys_.forget_all();
  KeyDelta ignored;
  const auto organisations = store_.organisations();
  if (!organisations) return std::unexpected(organisations.error());
  for (const policy::Organisation& organisation : *organisations) put(organisation, ignored);
  if (const auto done = put_workspaces(0, ignored); !done) return done;
  // Keys that are alike share one list.
  std::map<std::pair<AccountId, std::string>, std::shared_ptr<const gateway::KeyAccess>> shared;
  std::vector<KeyEntry> entries;
  entries.reserve(store_.keys_at_most() + configured_.size());
  const auto read = store_.each_key([&](const policy::Key& key, const KeyDigest& digest) {
    if (is_open(key.access)) {
      entries.push_back(gateway::entry_of(key, digest, nullptr));
      return;
    }
    auto& access = shared[{key.workspace, access_text(key.access)}];
    if (access == nullptr) access = entry(key, digest).access;
    entries.push_back(gateway::entry_of(key, digest, access));
  });
  if (!read) return read;
  entries.insert(entries.end(), configured_.begin(), configured_.end());
  table_.assign(entries);
  if (!configured_.empty()) table_.put(gateway::configured_organisation());
  return {};
}

StoreResult<KeyDelta> KeyPublisher::follow(std::span<const AccountChange> changes) {
  KeyDelta delta;
  for (const AccountChange& change : changes) {
    const auto done = refresh(change, delta);
    if (!done) return std::unexpected(done.error());
  }
  return delta;
}

StoreResult<void> KeyPublisher::refresh(const AccountChange& change, KeyDelta& delta) {
  switch (change.kind) {
    case AccountChange::Kind::kKey:
      return refresh_key(change.digest, delta);
    case AccountChange::Kind::kProviderKey:
      own_keys_.forget(change.id);
      return refresh_workspace(change.workspace, delta);
    case AccountChange::Kind::kWorkspace: {
      const auto record = store_.workspace(change.id);
      if (record) {
        if (const auto done = put(record->workspace, delta); !done) return done;
        return refresh_keys(change.id, delta);
      }
      if (record.error().kind != StoreFault::Kind::kNotFound) {
        return std::unexpected(record.error());
      }
      workspaces_.erase(change.id);
      delta.append(table_.put(AccountRow{
          .id = static_cast<std::uint32_t>(change.id), .is_workspace = true, .is_removed = true}));
      return {};
    }
    case AccountChange::Kind::kOrganisation: {
      const auto organisation = store_.organisation(change.id);
      if (!organisation) return std::unexpected(organisation.error());
      const bool is_same_access =
          access_text(organisations_[change.id]) == access_text(organisation->access);
      put(*organisation, delta);
      if (is_same_access) return {};
      if (const auto done = put_workspaces(change.id, delta); !done) return done;
      return refresh_keys(0, delta);
    }
  }
  return {};
}

StoreResult<void> KeyPublisher::refresh_key(const KeyDigest& digest, KeyDelta& delta) {
  if (is_configured(digest)) return {};
  const auto record = store_.key(digest);
  if (record) {
    delta.append(table_.put(entry(record->key, digest)));
    const AccountId workspace = record->key.workspace;
    if (own_keys_.hangs_on_people(workspace)) return refresh_workspace(workspace, delta);
  } else if (record.error().kind == StoreFault::Kind::kNotFound) {
    delta.append(table_.remove(digest));
  } else {
    return std::unexpected(record.error());
  }
  return {};
}

// Its row alone; one that is gone by now is another change.
StoreResult<void> KeyPublisher::refresh_workspace(AccountId workspace, KeyDelta& delta) {
  const auto record = store_.workspace(workspace);
  if (record) return put(record->workspace, delta);
  if (record.error().kind != StoreFault::Kind::kNotFound) return std::unexpected(record.error());
  return {};
}

// Those that narrow what stands above them, which has changed.
StoreResult<void> KeyPublisher::refresh_keys(AccountId workspace, KeyDelta& delta) {
  const auto narrowed = store_.keys_with_access(workspace);
  if (!narrowed) return std::unexpected(narrowed.error());
  for (const KeyDigest& digest : *narrowed) {
    const auto done = refresh_key(digest, delta);
    if (!done) return done;
  }
  return {};
}

}  // namespace leat::control
