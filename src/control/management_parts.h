// SPDX-License-Identifier: Apache-2.0
// What the sources of Management share: answers, bodies and queries that are read member by member,
// and the parts of it that each serve one kind of account.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/json_tree.h"
#include "control/management.h"

namespace leat::control {

struct BudgetUse;
struct UsageViewer;

ManagementAnswer refusal(int status, std::string_view message);
ManagementAnswer refusal(const StoreFault& fault);
ManagementAnswer no_such_path();
ManagementAnswer method_not_allowed();
ManagementAnswer deleted();

// One request on its way: the parts of its path and the time.
struct ManagementCall {
  const ManagementRequest& request;
  std::vector<std::string> parts;  // decoded; the first says whose it is
  WallTime now;

  bool is(std::string_view method) const { return request.method == method; }
  std::int64_t unix_now() const { return now.unix_seconds(); }
  // The value of a parameter; none: it is not there.
  std::optional<std::string> parameter(std::string_view name) const;
  // A whole number of the query within the bounds; `otherwise` if there is none. None: no such.
  std::optional<std::int64_t> count(std::string_view name, std::int64_t otherwise,
                                    std::int64_t max) const;
};

// A request's body: an object whose members are taken by name. The first thing that is wrong stays
// and makes fault() say it; what was not asked for is wrong too.
class ManagementBody {
 public:
  explicit ManagementBody(std::string_view text);

  // Whether the member is there, null included.
  bool has(std::string_view key);
  // Each leaves `out` alone where the member is not there.
  void text(std::string_view key, std::size_t max, std::string& out, bool may_be_empty = false);
  void nullable_text(std::string_view key, std::size_t max, std::string& out);  // null: empty
  void flag(std::string_view key, bool& out);
  void dollars(std::string_view key, policy::Nanodollars& out);  // 0 and more; null: no limit
  void rate(std::string_view key, std::uint64_t& out);           // 0 and more; null: no limit
  void integer(std::string_view key, std::int64_t min, std::int64_t max, std::int64_t& out);
  void moment(std::string_view key, std::int64_t& out);  // null: 0
  // Null: none. An empty list is wrong: it would allow nobody.
  void list(std::string_view key, std::optional<std::vector<std::string>>& out);
  // For members that OpenRouter has and Leat has not: only null, false, 0 and [] will do.
  void refuse_set(std::initializer_list<std::string_view> keys);
  void complain(std::string_view message);

  // After all members were asked for: the answer that says what is wrong, or nothing.
  std::optional<ManagementAnswer> fault();

 private:
  const JsonValue* take(std::string_view key);
  void complain(std::string_view key, std::string_view wanted);

  JsonValue root_;
  std::vector<std::string_view> known_;
  std::string fault_;
};

class ManagementKeys {
 public:
  ManagementKeys(Management& management, const ManagementCall& call)
      : store_(management.store_),
        usage_(management.usage_),
        configured_(management.configured_),
        call_(call) {}
  ManagementAnswer current();  // GET /key
  ManagementAnswer handle();   // /keys
  ManagementAnswer credits();

 private:
  ManagementAnswer list();
  ManagementAnswer create();
  ManagementAnswer one();
  ManagementAnswer grant();
  ManagementAnswer set_prepaid();
  std::string json(const KeyRecord& record) const;
  // From the members that both POST and PATCH know.
  void read(ManagementBody& body, KeyRecord& record) const;
  void read_content_log(ManagementBody& body, policy::Key& key) const;
  StoreResult<KeyRecord> find(std::string_view hash) const;
  // The key that asks, be it of the store or of the configuration.
  StoreResult<KeyRecord> asking() const;
  StoreResult<policy::Nanodollars> granted(policy::AccountId organisation) const;

  AccountStore& store_;
  const UsageSource& usage_;
  const Options* configured_;
  const ManagementCall& call_;
};

class ManagementWorkspaces {
 public:
  ManagementWorkspaces(Management& management, const ManagementCall& call)
      : store_(management.store_), call_(call) {}
  ManagementAnswer handle();

 private:
  ManagementAnswer list();
  ManagementAnswer create();
  ManagementAnswer one(WorkspaceRecord record);
  ManagementAnswer budgets(const WorkspaceRecord& record);
  ManagementAnswer budget(WorkspaceRecord record);
  void read(ManagementBody& body, WorkspaceRecord& record) const;

  AccountStore& store_;
  const ManagementCall& call_;
};

// What the ledger says of single requests and of days (management_usage.h).
class ManagementUsage {
 public:
  ManagementUsage(Management& management, const ManagementCall& call)
      : store_(management.store_),
        configured_(management.configured_),
        ledger_(management.ledger_),
        call_(call) {}
  ManagementAnswer generation();
  ManagementAnswer activity();
  ManagementAnswer dashboard();  // GET /dashboard/usage, /dashboard/request?id=

 private:
  UsageViewer viewer() const;
  // Those that the viewer may see, disabled ones too.
  StoreResult<std::vector<KeyRecord>> keys() const;
  std::vector<BudgetUse> budgets(const std::vector<KeyRecord>& keys) const;
  std::string name_of(const KeyDigest& digest) const;

  AccountStore& store_;
  const Options* configured_;
  const LedgerUsage* ledger_;
  const ManagementCall& call_;
};

class ManagementByok {
 public:
  ManagementByok(Management& management, const ManagementCall& call)
      : store_(management.store_), master_(management.master_), call_(call) {}
  ManagementAnswer handle();

 private:
  ManagementAnswer list();
  ManagementAnswer create();
  ManagementAnswer one(ProviderKeyRecord record);
  // Its workspace, if that is the actor's.
  StoreResult<policy::AccountId> workspace(std::string_view reference) const;
  void read(ManagementBody& body, ProviderKeyRecord& record, std::string& secret) const;

  AccountStore& store_;
  const std::optional<tls::AeadKey>& master_;
  const ManagementCall& call_;
};

// "daily", "weekly", "monthly", and `lifetime` for kNone; none: no such interval.
std::optional<policy::BudgetPeriod> period_of(std::string_view name);

}  // namespace leat::control
