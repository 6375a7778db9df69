// SPDX-License-Identifier: Apache-2.0
// Client keys and provider keys of the account store.
#include <fmt/format.h>
#include <string.h>

#include <algorithm>

#include "base/check.h"
#include "control/account_rows.h"
#include "control/account_store.h"
#include "control/account_text.h"

namespace leat::control {
namespace {

using policy::AccountId;

// A NULL reads as 0.
constexpr std::string_view kKeySelect =
    "SELECT keys.id,keys.organisation,keys.workspace,keys.scope,keys.enabled,"
    "keys.expires_at,keys.markup_ppm,keys.output_default_max,keys.log_content,keys.hold_ms_max,"
    "keys.digest,"
    "keys.requests_per_minute,keys.tokens_per_minute,keys.tokens_per_day,keys.concurrency,keys."
    "budget,keys.budget_daily,"
    "keys.budget_weekly,keys.budget_monthly,keys.counts_byok,keys.access";
constexpr std::string_view kKeyRest =
    ",keys.name,keys.label,coalesce(workspaces.uuid,''),keys.creator,keys.created_at,"
    "coalesce(keys.updated_at,0) FROM keys LEFT JOIN workspaces ON workspaces.id=keys.workspace ";
constexpr std::string_view kProviderKeySelect =
    "SELECT provider_keys.id,provider_keys.uuid,workspace,workspaces.uuid,provider,"
    "provider_keys.name,label,provider_keys.enabled,fallback,required,sort_order,allowed_models,"
    "allowed_key_hashes,allowed_users,provider_keys.created_at FROM provider_keys "
    "JOIN workspaces ON workspaces.id=workspace ";

std::int64_t as_integer(AccountId id) {
  return static_cast<std::int64_t>(id);
}

std::unexpected<StoreFault> not_found() {
  return std::unexpected(StoreFault{StoreFault::Kind::kNotFound, "There is no such key."});
}

KeyDigest read_digest(SqliteStatement& row) {
  KeyDigest digest{};
  const std::string_view bytes = row.blob();
  std::copy_n(bytes.begin(), std::min(bytes.size(), digest.size()), digest.begin());
  return digest;
}

// None at all is an answer of its own, so that NULL must not read as it.
std::uint32_t read_hold(SqliteStatement& row) {
  const bool is_own = !row.is_null();
  const std::int64_t stored = row.integer();
  return is_own ? static_cast<std::uint32_t>(stored) : policy::kHoldMsMax;
}

void bind_hold(SqliteStatement& statement, std::uint32_t hold_ms_max) {
  if (hold_ms_max >= policy::kHoldMsMax) {
    statement.bind_null();
  } else {
    statement.bind(hold_ms_max);
  }
}

void read_key(SqliteStatement& row, policy::Key& key, KeyDigest& digest) {
  key.id = static_cast<AccountId>(row.integer());
  key.organisation = static_cast<AccountId>(row.integer());
  key.workspace = static_cast<AccountId>(row.integer());
  key.scope = row.integer() != 0 ? policy::KeyScope::kManagement : policy::KeyScope::kInference;
  key.is_enabled = row.integer() != 0;
  key.expires_at = row.integer();
  key.markup_ppm = static_cast<std::int32_t>(row.integer());
  key.output_default_max = static_cast<std::uint32_t>(row.integer());
  key.logs_content = row.integer() != 0;
  key.hold_ms_max = read_hold(row);
  digest = read_digest(row);
  read_quota(row, key.quota, key.access);
}

KeyRecord read_record(SqliteStatement& row) {
  KeyRecord record;
  read_key(row, record.key, record.digest);
  record.key.name = row.text();
  record.key.label = row.text();
  record.workspace_uuid = row.text();
  record.creator = row.text();
  record.created_at = row.integer();
  record.updated_at = row.integer();
  return record;
}

ProviderKeyRecord read_provider_key(SqliteStatement& row) {
  ProviderKeyRecord record;
  record.id = static_cast<AccountId>(row.integer());
  record.uuid = row.text();
  record.workspace = static_cast<AccountId>(row.integer());
  record.workspace_uuid = row.text();
  record.provider = row.text();
  record.name = row.text();
  record.label = row.text();
  record.is_enabled = row.integer() != 0;
  record.is_fallback = row.integer() != 0;
  record.is_required = row.integer() != 0;
  record.sort_order = row.integer();
  record.allowed_models = read_list(row);
  record.allowed_key_hashes = read_list(row);
  record.allowed_users = read_list(row);
  record.created_at = row.integer();
  return record;
}

AccountChange change_of(AccountId provider_key, AccountId workspace) {
  return {.kind = AccountChange::Kind::kProviderKey, .id = provider_key, .workspace = workspace};
}

// What a sealed key is bound to: its row, so that copying it to another row opens nothing.
std::string seal_context(std::string_view uuid) {
  return fmt::format("leat provider key {}", uuid);
}

std::string sealed_text(std::string_view secret, std::string_view uuid, tls::AeadKey master) {
  std::array<std::uint8_t, tls::kAeadNonceBytes> nonce;
  const auto random = random_bytes();
  std::copy_n(random.begin(), nonce.size(), nonce.begin());
  return tls::seal(master, nonce, secret, seal_context(uuid));
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Four letters of one that has many more.
std::string label_of_secret(std::string_view secret) {
  constexpr std::size_t kShown = 4;
  return secret.size() < 4 * kShown ? std::string("...")
                                    : fmt::format("...{}", secret.substr(secret.size() - kShown));
}

}  // namespace

StoreResult<CreatedKey> AccountStore::create(const KeyRecord& wanted, std::int64_t now) {
  CreatedKey created{.record = {}, .text = make_client_key(random_bytes())};
  const KeyDigest digest = digest_of(created.text);
  const policy::Key& key = wanted.key;
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(
      *database_,
      "INSERT INTO keys(digest,organisation,workspace,name,label,scope,enabled,expires_at,"
      "markup_ppm,output_default_max,log_content,hold_ms_max,creator,created_at," LEAT_QUOTA_COLUMNS
      ") VALUES(" +
          marks(14 + kQuotaColumns) + ")");
  statement.bind_blob(digest).bind(as_integer(key.organisation));
  bind_or_null(statement, as_integer(key.workspace));
  statement.bind(key.name).bind(label_of(created.text));
  statement.bind(key.scope == policy::KeyScope::kManagement ? 1 : 0).bind(key.is_enabled ? 1 : 0);
  bind_or_null(statement, key.expires_at);
  statement.bind(key.markup_ppm);
  bind_or_null(statement, key.output_default_max);
  statement.bind(key.logs_content ? 1 : 0);
  bind_hold(statement, key.hold_ms_max);
  statement.bind(wanted.creator).bind(now);
  bind_quota(statement, key.quota, key.access);
  statement.step();
  const auto id = static_cast<AccountId>(database_->last_id());
  const auto done =
      finish(transaction, {.kind = AccountChange::Kind::kKey, .id = id, .digest = digest});
  if (!done) return std::unexpected(done.error());
  auto record = this->key(digest);
  if (!record) return std::unexpected(record.error());
  created.record = std::move(*record);
  return created;
}

StoreResult<KeyRecord> AccountStore::key(const KeyDigest& digest) {
  SqliteStatement row(*database_, fmt::format("{}{}WHERE keys.digest=?", kKeySelect, kKeyRest));
  row.bind_blob(digest);
  if (row.step()) return read_record(row);
  if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
  return not_found();
}

StoreResult<std::vector<KeyRecord>> AccountStore::keys(const KeyQuery& query) {
  std::vector<KeyRecord> found;
  SqliteStatement row(
      *database_,
      fmt::format("{}{}WHERE (?1=0 OR keys.organisation=?1) AND (?2=0 OR keys.workspace=?2) AND "
                  "(?3 OR keys.enabled) ORDER BY keys.id DESC LIMIT ?4 OFFSET ?5",
                  kKeySelect, kKeyRest));
  row.bind(as_integer(query.organisation)).bind(as_integer(query.workspace));
  row.bind(query.with_disabled ? 1 : 0).bind(query.count_max).bind(query.offset);
  while (row.step()) found.push_back(read_record(row));
  return all_read(std::move(found));
}

StoreResult<std::vector<policy::AccountId>> AccountStore::keys_of_creator(
    std::string_view creator) {
  std::vector<policy::AccountId> ids;
  SqliteStatement row(*database_,
                      "SELECT id FROM keys WHERE creator=?1 AND creator<>'' "
                      "UNION ALL SELECT id FROM former_keys WHERE creator=?1");
  row.bind(creator);
  while (row.step()) ids.push_back(static_cast<policy::AccountId>(row.integer()));
  return all_read(std::move(ids));
}

StoreResult<void> AccountStore::update(const KeyRecord& record, std::int64_t now) {
  const policy::Key& key = record.key;
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(*database_,
                            "UPDATE keys SET name=?,enabled=?,markup_ppm=?,updated_at=?,"
                            "expires_at=?,output_default_max=?,log_content=?,hold_ms_max=?," +
                                settings(LEAT_QUOTA_COLUMNS) + " WHERE digest=?");
  statement.bind(key.name).bind(key.is_enabled ? 1 : 0).bind(key.markup_ppm).bind(now);
  bind_or_null(statement, key.expires_at);
  bind_or_null(statement, key.output_default_max);
  statement.bind(key.logs_content ? 1 : 0);
  bind_hold(statement, key.hold_ms_max);
  bind_quota(statement, key.quota, key.access);
  statement.bind_blob(record.digest).step();
  if (!database_->has_fault() && database_->changed() == 0) return not_found();
  return finish(transaction,
                {.kind = AccountChange::Kind::kKey, .id = key.id, .digest = record.digest});
}

StoreResult<void> AccountStore::remove_key(const KeyDigest& digest) {
  SqliteTransaction transaction(*database_);
  SqliteStatement(*database_, "DELETE FROM keys WHERE digest=?").bind_blob(digest).step();
  if (!database_->has_fault() && database_->changed() == 0) return not_found();
  return finish(transaction, {.kind = AccountChange::Kind::kKey, .id = 0, .digest = digest});
}

StoreResult<void> AccountStore::each_key(
    const std::function<void(const policy::Key& key, const KeyDigest& digest)>& take) {
  SqliteStatement row(*database_, fmt::format("{} FROM keys", kKeySelect));
  policy::Key key;
  KeyDigest digest;
  while (row.step()) {
    key.access = {};
    read_key(row, key, digest);
    take(key, digest);
  }
  if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
  return {};
}

std::size_t AccountStore::keys_at_most() {
  return static_cast<std::size_t>(database_->number("SELECT max(id) FROM keys"));
}

StoreResult<std::vector<KeyDigest>> AccountStore::keys_with_access(AccountId workspace) {
  std::vector<KeyDigest> found;
  SqliteStatement row(
      *database_, "SELECT digest FROM keys WHERE access IS NOT NULL AND (?1=0 OR workspace=?1)");
  row.bind(as_integer(workspace));
  while (row.step()) found.push_back(read_digest(row));
  return all_read(std::move(found));
}

StoreResult<std::vector<ProviderKeyRecord>> AccountStore::provider_keys(AccountId workspace) {
  std::vector<ProviderKeyRecord> found;
  SqliteStatement row(*database_, std::string(kProviderKeySelect) +
                                      "WHERE ?1=0 OR workspace=?1 "
                                      "ORDER BY fallback,sort_order,provider_keys.id");
  row.bind(as_integer(workspace));
  while (row.step()) found.push_back(read_provider_key(row));
  return all_read(std::move(found));
}

StoreResult<ProviderKeyRecord> AccountStore::provider_key(std::string_view uuid) {
  SqliteStatement row(*database_, std::string(kProviderKeySelect) + "WHERE provider_keys.uuid=?");
  row.bind(uuid);
  if (row.step()) return read_provider_key(row);
  if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
  return not_found();
}

StoreResult<ProviderKeyRecord> AccountStore::create(const ProviderKeyRecord& wanted,
                                                    std::string_view secret, tls::AeadKey master,
                                                    std::int64_t now) {
  const auto random = random_bytes();
  const std::string uuid = uuid_text({reinterpret_cast<const char*>(random.data()), random.size()});
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(
      *database_,
      "INSERT INTO provider_keys(uuid,workspace,provider,name,label,enabled,fallback,required,"
      "sort_order,allowed_models,allowed_key_hashes,allowed_users,sealed,created_at) VALUES(" +
          marks(14) + ")");
  statement.bind(uuid).bind(as_integer(wanted.workspace)).bind(wanted.provider).bind(wanted.name);
  statement.bind(label_of_secret(secret)).bind(wanted.is_enabled ? 1 : 0);
  statement.bind(wanted.is_fallback ? 1 : 0).bind(wanted.is_required ? 1 : 0);
  statement.bind(wanted.sort_order);
  bind_list(statement, wanted.allowed_models);
  bind_list(statement, wanted.allowed_key_hashes);
  bind_list(statement, wanted.allowed_users);
  statement.bind_blob(bytes_of(sealed_text(secret, uuid, master))).bind(now).step();
  const auto id = static_cast<AccountId>(database_->last_id());
  const auto done = finish(transaction, change_of(id, wanted.workspace));
  if (!done) return std::unexpected(done.error());
  return provider_key(uuid);
}

StoreResult<void> AccountStore::update(const ProviderKeyRecord& record, std::int64_t now) {
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(*database_,
                            "UPDATE provider_keys SET name=?,enabled=?,fallback=?,required=?,"
                            "sort_order=?,allowed_models=?,allowed_key_hashes=?,allowed_users=?,"
                            "updated_at=? WHERE id=?");
  statement.bind(record.name).bind(record.is_enabled ? 1 : 0).bind(record.is_fallback ? 1 : 0);
  statement.bind(record.is_required ? 1 : 0).bind(record.sort_order);
  bind_list(statement, record.allowed_models);
  bind_list(statement, record.allowed_key_hashes);
  bind_list(statement, record.allowed_users);
  statement.bind(now).bind(as_integer(record.id)).step();
  if (!database_->has_fault() && database_->changed() == 0) return not_found();
  return finish(transaction, change_of(record.id, record.workspace));
}

StoreResult<void> AccountStore::replace_secret(AccountId id, std::string_view secret,
                                               tls::AeadKey master, std::int64_t now) {
  SqliteTransaction transaction(*database_);
  SqliteStatement row(*database_, "SELECT uuid,workspace FROM provider_keys WHERE id=?");
  row.bind(as_integer(id));
  if (!row.step() && !database_->has_fault()) return not_found();
  const std::string uuid(database_->has_fault() ? "" : row.text());
  const auto workspace = static_cast<AccountId>(database_->has_fault() ? 0 : row.integer());
  SqliteStatement(*database_, "UPDATE provider_keys SET sealed=?,label=?,updated_at=? WHERE id=?")
      .bind_blob(bytes_of(sealed_text(secret, uuid, master)))
      .bind(label_of_secret(secret))
      .bind(now)
      .bind(as_integer(id))
      .step();
  return finish(transaction, change_of(id, workspace));
}

StoreResult<void> AccountStore::remove_provider_key(AccountId id) {
  SqliteTransaction transaction(*database_);
  AccountId workspace = 0;
  SqliteStatement row(*database_, "DELETE FROM provider_keys WHERE id=? RETURNING workspace");
  row.bind(as_integer(id));
  while (row.step()) workspace = static_cast<AccountId>(row.integer());
  if (!database_->has_fault() && workspace == 0) return not_found();
  return finish(transaction, change_of(id, workspace));
}

StoreResult<std::size_t> AccountStore::unseal_provider_key(AccountId id, tls::AeadKey master,
                                                           std::span<char> out) {
  SqliteStatement row(*database_, "SELECT uuid,sealed FROM provider_keys WHERE id=?");
  row.bind(as_integer(id));
  if (!row.step()) {
    if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
    return not_found();
  }
  const std::string uuid(row.text());
  const auto size = tls::unseal(master, row.blob(), seal_context(uuid), out);
  if (size) return *size;
  return std::unexpected(StoreFault{
      StoreFault::Kind::kUnavailable,
      "a provider key does not open: the master key is another, or its row was changed"});
}

}  // namespace leat::control
