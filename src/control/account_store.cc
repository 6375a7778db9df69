// SPDX-License-Identifier: Apache-2.0
#include "control/account_store.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "control/account_rows.h"
#include "control/account_schema.h"
#include "control/account_text.h"

namespace leat::control {
namespace {

static_assert(AccountStore::kSchemaVersion == kSchemaSteps.size());

using policy::AccountId;
using policy::Organisation;

constexpr std::string_view kOrganisationSelect =
    "SELECT id,name,enabled,prepaid,"
    "(SELECT coalesce(sum(amount),0) FROM grants WHERE "
    "organisation=organisations.id)," LEAT_QUOTA_COLUMNS " FROM organisations ";
constexpr std::string_view kWorkspaceSelect =
    "SELECT id,uuid,organisation,name,slug,description,enabled,created_at,"
    "coalesce(updated_at,0)," LEAT_QUOTA_COLUMNS " FROM workspaces ";

Organisation read_organisation(SqliteStatement& row) {
  Organisation organisation;
  organisation.id = static_cast<AccountId>(row.integer());
  organisation.name = row.text();
  organisation.is_enabled = row.integer() != 0;
  organisation.is_prepaid = row.integer() != 0;
  organisation.granted = row.integer();
  read_quota(row, organisation.quota, organisation.access);
  return organisation;
}

WorkspaceRecord read_workspace(SqliteStatement& row) {
  WorkspaceRecord record;
  policy::Workspace& workspace = record.workspace;
  workspace.id = static_cast<AccountId>(row.integer());
  record.uuid = row.text();
  workspace.organisation = static_cast<AccountId>(row.integer());
  workspace.name = row.text();
  workspace.slug = row.text();
  record.description = row.text();
  workspace.is_enabled = row.integer() != 0;
  record.created_at = row.integer();
  record.updated_at = row.integer();
  read_quota(row, workspace.quota, workspace.access);
  return record;
}

std::int64_t as_integer(AccountId id) {
  return static_cast<std::int64_t>(id);
}

std::unexpected<StoreFault> not_found(std::string_view what) {
  return std::unexpected(
      StoreFault{StoreFault::Kind::kNotFound, fmt::format("There is no such {}.", what)});
}

std::string made_uuid() {
  const auto random = random_bytes();
  return uuid_text({reinterpret_cast<const char*>(random.data()), random.size()});
}

}  // namespace

AccountStore::AccountStore(std::unique_ptr<SqliteDatabase> database)
    : database_(std::move(database)) {}

StoreFault AccountStore::fault_of(const SqliteFault& fault) const {
  switch (fault.kind) {
    case SqliteFault::Kind::kTaken:
      return {StoreFault::Kind::kTaken, "One of that name is there already."};
    case SqliteFault::Kind::kBroken:
      return {StoreFault::Kind::kInvalid, "A value is out of its range: " + fault.text};
    case SqliteFault::Kind::kBusy:
      return {StoreFault::Kind::kUnavailable,
              "the account store is in use by another process; one Leat has it at a time"};
    case SqliteFault::Kind::kDamaged:
      return {StoreFault::Kind::kUnavailable, "the account store is damaged or no account store (" +
                                                  fault.text + "); restore it from a copy"};
    case SqliteFault::Kind::kOther:
      break;
  }
  return {StoreFault::Kind::kUnavailable, "the account store cannot be used: " + fault.text};
}

StoreResult<std::unique_ptr<AccountStore>> AccountStore::open(const std::string& path,
                                                              std::int64_t now) {
  auto database = SqliteDatabase::open(path);
  if (!database) {
    return std::unexpected(
        StoreFault{StoreFault::Kind::kUnavailable,
                   "the account store cannot be opened: " + database.error().text});
  }
  std::unique_ptr<AccountStore> store(new AccountStore(std::move(*database)));
  if (auto fault = store->set_up(now)) return std::unexpected(std::move(*fault));
  return store;
}

// Exclusive: a second process must not change what this one has a picture of. Full syncs, since
// what was answered as done (a revoked key) must be so after a power cut.
std::optional<StoreFault> AccountStore::set_up(std::int64_t now) {
  database_->run(
      "PRAGMA page_size=16384; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
      "PRAGMA synchronous=FULL;"
      "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
      "PRAGMA temp_store=MEMORY");  // no folder for others is open to a running Leat
  const std::int64_t version = database_->number("PRAGMA user_version");
  const std::int64_t application = database_->number("PRAGMA application_id");
  const std::int64_t tables = database_->number("SELECT count(*) FROM sqlite_schema");
  if (const auto fault = database_->take_fault()) return fault_of(*fault);
  if (application != kStoreApplicationId && tables != 0) {
    return StoreFault{StoreFault::Kind::kUnavailable,
                      "the file is a database of another program, no account store"};
  }
  if (version > kSchemaVersion) {
    return StoreFault{
        StoreFault::Kind::kUnavailable,
        fmt::format("the account store was written by a newer Leat (schema {}, known up to {}); "
                    "run that one, or restore a copy from before",
                    version, kSchemaVersion)};
  }
  // Takes the lock now rather than with the first change.
  if (auto fault = migrate(now)) return fault;
  // A large file is checked by what comes next, which reads it: each_key(). Apart that would take
  // seconds of a start.
  constexpr std::int64_t kCheckedPagesMax = 4'096;
  if (database_->number("PRAGMA page_count") > kCheckedPagesMax) return std::nullopt;
  SqliteStatement check(*database_, "PRAGMA quick_check(1)");
  const bool is_sound = check.step() && check.text() == "ok";
  if (const auto fault = database_->take_fault()) return fault_of(*fault);
  if (is_sound) return std::nullopt;
  return StoreFault{StoreFault::Kind::kUnavailable,
                    "the account store is damaged; restore it from a copy"};
}

std::optional<StoreFault> AccountStore::migrate(std::int64_t now) {
  SqliteTransaction transaction(*database_);
  const std::int64_t version = database_->number("PRAGMA user_version");
  for (std::size_t step = static_cast<std::size_t>(version); step < kSchemaSteps.size(); ++step) {
    database_->run(kSchemaSteps[step]);
  }
  database_->run(fmt::format("PRAGMA user_version={}; PRAGMA application_id={}", kSchemaVersion,
                             kStoreApplicationId)
                     .c_str());
  if (version == 0) {
    SqliteStatement(*database_, "INSERT INTO organisations(name,created_at) VALUES('default',?)")
        .bind(now)
        .step();
    SqliteStatement(*database_,
                    "INSERT INTO workspaces(uuid,organisation,name,slug,created_at) "
                    "VALUES(?,1,'Default','default',?)")
        .bind(made_uuid())
        .bind(now)
        .step();
  }
  const auto fault = transaction.commit();
  return fault ? std::optional(fault_of(*fault)) : std::nullopt;
}

StoreResult<void> AccountStore::finish(SqliteTransaction& transaction,
                                       const AccountChange& change) {
  if (const auto fault = transaction.commit()) return std::unexpected(fault_of(*fault));
  changes_.push_back(change);
  return {};
}

std::vector<AccountChange> AccountStore::take_changes() {
  return std::exchange(changes_, {});
}

StoreResult<Organisation> AccountStore::organisation(AccountId id) {
  SqliteStatement row(*database_, std::string(kOrganisationSelect) + "WHERE id=?");
  row.bind(as_integer(id));
  if (row.step()) return read_organisation(row);
  if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
  return not_found("organisation");
}

StoreResult<std::vector<Organisation>> AccountStore::organisations() {
  std::vector<Organisation> found;
  SqliteStatement row(*database_, std::string(kOrganisationSelect) + "ORDER BY id");
  while (row.step()) found.push_back(read_organisation(row));
  return all_read(std::move(found));
}

StoreResult<Organisation> AccountStore::create(const Organisation& wanted, std::int64_t now) {
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(
      *database_, "INSERT INTO organisations(name,enabled,prepaid,created_at," LEAT_QUOTA_COLUMNS
                  ") VALUES(" +
                      marks(4 + kQuotaColumns) + ")");
  statement.bind(wanted.name).bind(wanted.is_enabled ? 1 : 0).bind(wanted.is_prepaid ? 1 : 0);
  statement.bind(now);
  bind_quota(statement, wanted.quota, wanted.access);
  statement.step();
  const auto id = static_cast<AccountId>(database_->last_id());
  const auto done = finish(transaction, {.kind = AccountChange::Kind::kOrganisation, .id = id});
  if (!done) return std::unexpected(done.error());
  return organisation(id);
}

StoreResult<void> AccountStore::update(const Organisation& organisation, std::int64_t now) {
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(*database_,
                            "UPDATE organisations SET name=?,enabled=?,prepaid=?,updated_at=?," +
                                settings(LEAT_QUOTA_COLUMNS) + " WHERE id=?");
  statement.bind(organisation.name).bind(organisation.is_enabled ? 1 : 0);
  statement.bind(organisation.is_prepaid ? 1 : 0).bind(now);
  bind_quota(statement, organisation.quota, organisation.access);
  statement.bind(as_integer(organisation.id)).step();
  if (!database_->has_fault() && database_->changed() == 0) return not_found("organisation");
  return finish(transaction, {.kind = AccountChange::Kind::kOrganisation, .id = organisation.id});
}

StoreResult<WorkspaceRecord> AccountStore::workspace(AccountId organisation,
                                                     std::string_view reference) {
  SqliteStatement row(*database_, std::string(kWorkspaceSelect) +
                                      "WHERE organisation=? AND (uuid=? OR slug=?)"
                                      " ORDER BY uuid=? DESC LIMIT 1");
  row.bind(as_integer(organisation)).bind(reference).bind(reference).bind(reference);
  if (row.step()) return read_workspace(row);
  if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
  return not_found("workspace");
}

StoreResult<WorkspaceRecord> AccountStore::workspace(AccountId id) {
  SqliteStatement row(*database_, std::string(kWorkspaceSelect) + "WHERE id=?");
  row.bind(as_integer(id));
  if (row.step()) return read_workspace(row);
  if (const auto fault = database_->take_fault()) return std::unexpected(fault_of(*fault));
  return not_found("workspace");
}

StoreResult<std::vector<WorkspaceRecord>> AccountStore::workspaces(AccountId organisation) {
  std::vector<WorkspaceRecord> found;
  SqliteStatement row(*database_,
                      std::string(kWorkspaceSelect) + "WHERE ?1=0 OR organisation=?1 ORDER BY id");
  row.bind(as_integer(organisation));
  while (row.step()) found.push_back(read_workspace(row));
  return all_read(std::move(found));
}

StoreResult<WorkspaceRecord> AccountStore::create(const WorkspaceRecord& wanted, std::int64_t now) {
  const policy::Workspace& workspace = wanted.workspace;
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(*database_,
                            "INSERT INTO workspaces(uuid,organisation,name,slug,description,"
                            "enabled,created_at," LEAT_QUOTA_COLUMNS ") VALUES(" +
                                marks(7 + kQuotaColumns) + ")");
  statement.bind(made_uuid()).bind(as_integer(workspace.organisation)).bind(workspace.name);
  statement.bind(workspace.slug).bind(wanted.description).bind(workspace.is_enabled ? 1 : 0);
  statement.bind(now);
  bind_quota(statement, workspace.quota, workspace.access);
  statement.step();
  const auto id = static_cast<AccountId>(database_->last_id());
  const auto done = finish(transaction, {.kind = AccountChange::Kind::kWorkspace, .id = id});
  if (!done) return std::unexpected(done.error());
  return this->workspace(id);
}

StoreResult<void> AccountStore::update(const WorkspaceRecord& record, std::int64_t now) {
  const policy::Workspace& workspace = record.workspace;
  SqliteTransaction transaction(*database_);
  SqliteStatement statement(
      *database_, "UPDATE workspaces SET name=?,slug=?,description=?,enabled=?,updated_at=?," +
                      settings(LEAT_QUOTA_COLUMNS) + " WHERE id=?");
  statement.bind(workspace.name).bind(workspace.slug).bind(record.description);
  statement.bind(workspace.is_enabled ? 1 : 0).bind(now);
  bind_quota(statement, workspace.quota, workspace.access);
  statement.bind(as_integer(workspace.id)).step();
  if (!database_->has_fault() && database_->changed() == 0) return not_found("workspace");
  return finish(transaction, {.kind = AccountChange::Kind::kWorkspace, .id = workspace.id});
}

StoreResult<void> AccountStore::remove_workspace(AccountId id) {
  const auto in_use = [](std::string_view why) {
    return std::unexpected(StoreFault{StoreFault::Kind::kInUse, std::string(why)});
  };
  if (id == kFirst) return in_use("The default workspace stays.");
  SqliteTransaction transaction(*database_);
  SqliteStatement count(*database_,
                        "SELECT (SELECT count(*) FROM keys WHERE workspace=?1) + (SELECT count(*) "
                        "FROM provider_keys WHERE workspace=?1)");
  count.bind(as_integer(id));
  if (count.step() && count.integer() != 0) {
    return in_use("The workspace has keys; delete them first.");
  }
  SqliteStatement(*database_, "DELETE FROM workspaces WHERE id=?").bind(as_integer(id)).step();
  if (!database_->has_fault() && database_->changed() == 0) return not_found("workspace");
  return finish(transaction, {.kind = AccountChange::Kind::kWorkspace, .id = id});
}

StoreResult<GrantRecord> AccountStore::grant(const GrantRecord& wanted, std::int64_t now) {
  SqliteTransaction transaction(*database_);
  SqliteStatement(*database_,
                  "INSERT INTO grants(organisation,amount,note,created_at) VALUES(?,?,?,?)")
      .bind(as_integer(wanted.organisation))
      .bind(wanted.amount)
      .bind(wanted.note)
      .bind(now)
      .step();
  GrantRecord made = wanted;
  made.id = static_cast<AccountId>(database_->last_id());
  made.created_at = now;
  const auto done =
      finish(transaction, {.kind = AccountChange::Kind::kOrganisation, .id = wanted.organisation});
  if (!done) return std::unexpected(done.error());
  return made;
}

StoreResult<std::vector<GrantRecord>> AccountStore::grants(AccountId organisation) {
  std::vector<GrantRecord> found;
  SqliteStatement row(*database_,
                      "SELECT id,organisation,amount,note,created_at FROM grants "
                      "WHERE organisation=? ORDER BY id");
  row.bind(as_integer(organisation));
  while (row.step()) {
    GrantRecord& grant = found.emplace_back();
    grant.id = static_cast<AccountId>(row.integer());
    grant.organisation = static_cast<AccountId>(row.integer());
    grant.amount = row.integer();
    grant.note = row.text();
    grant.created_at = row.integer();
  }
  return all_read(std::move(found));
}

}  // namespace leat::control
