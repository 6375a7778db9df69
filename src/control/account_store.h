// SPDX-License-Identifier: Apache-2.0
// AccountStore: organisations, workspaces, keys, grants of credit and own provider keys (BYOK), in
// one SQLite file. It keeps what was decided, not what was used: usage is the ledger's. Every
// change is one transaction and is on disk when its function returns. Used on one thread, which is
// not a shard's: its syncs would stall a loop. Holds no clock: `now` is unix seconds.
//
// The file belongs to one process at a time. Its schema has a number; an older file is brought up
// to date when it is opened, a newer one is refused. Client keys are in it as digests, provider
// keys sealed: who reads the file can use neither.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/client_key.h"
#include "control/sqlite.h"
#include "policy/account.h"
#include "tls/aead.h"

namespace leat::control {

struct StoreFault {
  enum class Kind : std::uint8_t {
    kNotFound,
    kTaken,        // a name, slug or digest that must be unique is there already
    kInUse,        // it cannot go while something belongs to it
    kInvalid,      // it would break a rule of the schema
    kUnavailable,  // the file: locked, damaged, newer, disk full
  };
  Kind kind = Kind::kUnavailable;
  std::string text;  // for people; never holds a secret
};
template <class T>
using StoreResult = std::expected<T, StoreFault>;

struct WorkspaceRecord {
  policy::Workspace workspace;
  std::string uuid;
  std::string description;
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0;  // 0: never changed
};

struct KeyRecord {
  policy::Key key;
  KeyDigest digest{};
  std::string workspace_uuid;  // empty: of no workspace
  std::string creator;         // who asked for it; may be empty
  std::int64_t created_at = 0;
  std::int64_t updated_at = 0;
};

struct CreatedKey {
  KeyRecord record;
  std::string text;  // the key itself: shown once, kept nowhere
};

// A provider's key that a workspace brought. The key itself is not here; see unseal_provider_key().
struct ProviderKeyRecord {
  policy::AccountId id = 0;
  std::string uuid;
  policy::AccountId workspace = 0;
  std::string workspace_uuid;
  std::string provider;  // slug
  std::string name;
  std::string label;  // its last four letters, as OpenRouter shows it
  bool is_enabled = true;
  bool is_fallback = false;  // after shared capacity, not before
  bool is_required = false;  // never shared capacity of this provider
  std::int64_t sort_order = 0;
  // None: no limit.
  std::optional<std::vector<std::string>> allowed_models;
  std::optional<std::vector<std::string>> allowed_key_hashes;
  std::optional<std::vector<std::string>> allowed_users;
  std::int64_t created_at = 0;
};

struct GrantRecord {
  policy::AccountId id = 0;
  policy::AccountId organisation = 0;
  policy::Nanodollars amount = 0;  // negative: taken back
  std::string note;
  std::int64_t created_at = 0;
};

// What was changed, for those who keep a picture of the accounts (KeyPublisher).
struct AccountChange {
  enum class Kind : std::uint8_t { kOrganisation, kWorkspace, kKey, kProviderKey };
  Kind kind = Kind::kKey;
  policy::AccountId id = 0;
  KeyDigest digest{};               // of a key
  policy::AccountId workspace = 0;  // of a provider key
};

class AccountStore {
 public:
  static constexpr std::int64_t kSchemaVersion = 5;
  // The organisation and workspace that every store has; keys go there unless told.
  static constexpr policy::AccountId kFirst = 1;

  static StoreResult<std::unique_ptr<AccountStore>> open(const std::string& path, std::int64_t now);

  StoreResult<policy::Organisation> organisation(policy::AccountId id);
  StoreResult<std::vector<policy::Organisation>> organisations();
  StoreResult<policy::Organisation> create(const policy::Organisation& wanted, std::int64_t now);
  StoreResult<void> update(const policy::Organisation& organisation, std::int64_t now);

  // `reference`: its UUID or its slug.
  StoreResult<WorkspaceRecord> workspace(policy::AccountId organisation,
                                         std::string_view reference);
  StoreResult<WorkspaceRecord> workspace(policy::AccountId id);
  // 0: of all organisations.
  StoreResult<std::vector<WorkspaceRecord>> workspaces(policy::AccountId organisation);
  StoreResult<WorkspaceRecord> create(const WorkspaceRecord& wanted, std::int64_t now);
  StoreResult<void> update(const WorkspaceRecord& record, std::int64_t now);
  // Not one with keys, nor the first.
  StoreResult<void> remove_workspace(policy::AccountId id);

  // Makes the key. `wanted.key.workspace` may be 0 for a management key only.
  StoreResult<CreatedKey> create(const KeyRecord& wanted, std::int64_t now);
  StoreResult<KeyRecord> key(const KeyDigest& digest);
  struct KeyQuery {
    policy::AccountId organisation = 0;  // 0: of all
    policy::AccountId workspace = 0;     // 0: of all
    bool with_disabled = false;
    std::int64_t offset = 0;
    std::int64_t count_max = 100;
  };
  // Newest first.
  StoreResult<std::vector<KeyRecord>> keys(const KeyQuery& query);
  // Ids of those that `creator` asked for, in any organisation, removed ones too. None for "".
  StoreResult<std::vector<policy::AccountId>> keys_of_creator(std::string_view creator);
  // All that can be changed of a key: name, enabled, expiry, quota, access, markup, hold.
  StoreResult<void> update(const KeyRecord& record, std::int64_t now);
  StoreResult<void> remove_key(const KeyDigest& digest);
  // Every key, in no order; for the first table. `take` gets no times, name or label.
  StoreResult<void> each_key(
      const std::function<void(const policy::Key& key, const KeyDigest& digest)>& take);
  // No fewer than there are keys; found at once.
  std::size_t keys_at_most();
  // Those of a workspace (0: of all) that have an access of their own.
  StoreResult<std::vector<KeyDigest>> keys_with_access(policy::AccountId workspace);

  StoreResult<GrantRecord> grant(const GrantRecord& wanted, std::int64_t now);
  StoreResult<std::vector<GrantRecord>> grants(policy::AccountId organisation);

  // In the order in which they are tried.
  StoreResult<std::vector<ProviderKeyRecord>> provider_keys(policy::AccountId workspace);
  StoreResult<ProviderKeyRecord> provider_key(std::string_view uuid);
  // `secret` is sealed with the master key, bound to the row.
  StoreResult<ProviderKeyRecord> create(const ProviderKeyRecord& wanted, std::string_view secret,
                                        tls::AeadKey master, std::int64_t now);
  StoreResult<void> update(const ProviderKeyRecord& record, std::int64_t now);
  StoreResult<void> replace_secret(policy::AccountId id, std::string_view secret,
                                   tls::AeadKey master, std::int64_t now);
  StoreResult<void> remove_provider_key(policy::AccountId id);
  // Writes the key to `out`, which is for locked memory, and returns its size.
  StoreResult<std::size_t> unseal_provider_key(policy::AccountId id, tls::AeadKey master,
                                               std::span<char> out);

  // Since they were last taken, in order.
  std::vector<AccountChange> take_changes();

 private:
  explicit AccountStore(std::unique_ptr<SqliteDatabase> database);
  std::optional<StoreFault> set_up(std::int64_t now);
  std::optional<StoreFault> migrate(std::int64_t now);
  // Commits, and notes the change if all went well.
  StoreResult<void> finish(SqliteTransaction& transaction, const AccountChange& change);
  StoreFault fault_of(const SqliteFault& fault) const;
  // What was read to its end, or what ended it before.
  template <class T>
  StoreResult<std::vector<T>> all_read(std::vector<T>&& found) {
    if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
    return std::move(found);
  }

  std::unique_ptr<SqliteDatabase> database_;
  std::vector<AccountChange> changes_;
};

}  // namespace leat::control
