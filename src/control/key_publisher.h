// SPDX-License-Identifier: Apache-2.0
// KeyPublisher: the account store's keys as the table that shards look keys up in, and the provider
// keys that workspaces brought. It reads all of
// them once and then only what the store says has changed, so that a change is a few rows of the
// store and one chunk of the table. Keys that are not the store's, those of the configuration,
// stand in the same table and go before the store's where both have one. Lives on the account
// store's thread; what it returns is for messages to shards.
#pragma once

#include "control/account_store.h"
#include "control/own_key_book.h"
#include "gateway/key_table.h"
#include "policy/catalogue.h"

namespace leat::control {

class KeyPublisher {
 public:
  // Store, catalogue and master key, which opens provider keys, outlive it.
  KeyPublisher(AccountStore& store, const policy::Catalogue& catalogue,
               std::vector<gateway::KeyEntry> configured = {},
               std::optional<tls::AeadKey> master = {});

  // Another catalogue, which outlives it, and other keys beside the store's; load() is to follow.
  void set_configuration(const policy::Catalogue& catalogue,
                         std::vector<gateway::KeyEntry> configured);
  // All keys and accounts, in place of what there was: at start, and for a new catalogue.
  StoreResult<void> load();
  // What has changed in the store since load() or the last follow(). A fault of the store leaves
  // the shards as they are; load() makes it good.
  StoreResult<gateway::KeyDelta> follow() { return follow(store_.take_changes()); }
  // The same, of changes that somebody else took.
  StoreResult<gateway::KeyDelta> follow(std::span<const AccountChange> changes);

  const gateway::KeyTable& table() const { return table_; }
  // As OwnKeyBook::take_fault().
  std::string take_fault() { return own_keys_.take_fault(); }

 private:
  struct Parent {
    policy::AccountId organisation = 0;
    policy::Access access;  // with what stands above it
  };

  void put(const policy::Organisation& organisation, gateway::KeyDelta& delta);
  StoreResult<void> put(const policy::Workspace& workspace, gateway::KeyDelta& delta);
  // All of an organisation, 0: of all.
  StoreResult<void> put_workspaces(policy::AccountId organisation, gateway::KeyDelta& delta);
  gateway::KeyEntry entry(const policy::Key& key, const KeyDigest& digest) const;
  policy::Access access_above(const policy::Key& key) const;
  bool is_configured(const KeyDigest& digest) const;
  StoreResult<void> refresh(const AccountChange& change, gateway::KeyDelta& delta);
  StoreResult<void> refresh_key(const KeyDigest& digest, gateway::KeyDelta& delta);
  StoreResult<void> refresh_workspace(policy::AccountId workspace, gateway::KeyDelta& delta);
  StoreResult<void> refresh_keys(policy::AccountId workspace, gateway::KeyDelta& delta);

  AccountStore& store_;
  const policy::Catalogue* catalogue_;
  std::vector<gateway::KeyEntry> configured_;  // in the order of their digests
  gateway::KeyTable table_;
  std::unordered_map<policy::AccountId, policy::Access> organisations_;
  std::unordered_map<policy::AccountId, Parent> workspaces_;
  OwnKeyBook own_keys_;
};

}  // namespace leat::control
