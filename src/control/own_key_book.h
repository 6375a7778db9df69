// SPDX-License-Identifier: Apache-2.0
// OwnKeyBook: the provider keys that workspaces brought (BYOK), opened with the master key, as
// shards use them. A secret is opened once and again when its row changes, straight into locked
// memory, where it is wiped when nobody holds it any more. Part of KeyPublisher, on its thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "control/account_store.h"
#include "gateway/own_keys.h"
#include "tls/aead.h"
#include "tls/secret_slots.h"

namespace leat::control {

class OwnKeyBook {
 public:
  // All outlive it, the master key in locked memory. None: no key can be opened.
  OwnKeyBook(AccountStore& store, const policy::Catalogue& catalogue,
             std::optional<tls::AeadKey> master)
      : store_(store), catalogue_(&catalogue), master_(master) {}

  // Whose providers the keys are for, from here on; outlives it too.
  void set_catalogue(const policy::Catalogue& catalogue) { catalogue_ = &catalogue; }

  // Those of a workspace, as the store has them now; null: none. One that does not open is among
  // them without its secret, and fault() says so.
  StoreResult<std::shared_ptr<const gateway::OwnKeys>> of(policy::AccountId workspace);
  // The row is another one now, or none.
  void forget(policy::AccountId provider_key) { secrets_.erase(provider_key); }
  void forget_all() { secrets_.clear(); }
  // Whether some are for certain people: then they hang on who made the workspace's keys.
  bool hangs_on_people(policy::AccountId workspace) const { return people_.contains(workspace); }

  // What is wrong with keys that were met since it was last taken, for the log; or empty. Never
  // holds a secret.
  std::string take_fault() { return std::exchange(fault_, {}); }

 private:
  struct Opened {
    std::uint32_t revision = 0;
    tls::SecretRef secret;
  };
  const Opened& opened(const ProviderKeyRecord& record);
  StoreResult<void> limit_to(const ProviderKeyRecord& record, gateway::OwnKey& key);

  AccountStore& store_;
  const policy::Catalogue* catalogue_;
  std::optional<tls::AeadKey> master_;
  tls::SecretSlots slots_;
  std::unordered_map<policy::AccountId, Opened> secrets_;  // by the row
  std::unordered_set<policy::AccountId> people_;           // workspaces
  std::uint32_t last_revision_ = 0;
  std::string fault_;
};

}  // namespace leat::control
