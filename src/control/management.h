// SPDX-License-Identifier: Apache-2.0
// Management: the API by which accounts are administered, in OpenRouter's shapes
// (openrouter-api.md 1, 1.4, 4.9, 4.15; what @openrouter/sdk 1.3.19 demands), as one function from
// a request to an answer. Knows no connection: the admin listener, the command line and tests call
// it alike, on the account store's thread.
//
//   GET /key                 the key that asks            GET /credits   POST /credits (operator)
//   GET, POST /keys          GET, PATCH, DELETE /keys/{hash}
//   GET, POST /workspaces    GET, PATCH, DELETE /workspaces/{id or slug}
//   GET /workspaces/{..}/budgets   GET, PUT, DELETE /workspaces/{..}/budgets/{interval}
//   GET, POST /byok          GET, PATCH, DELETE /byok/{id}
//   GET /generation?id=      GET /activity?date=&api_key_hash=&user_id=
//                          (both where a ledger is read)
//
// Beyond OpenRouter's, a key takes `scope`, `requests_per_minute`, `tokens_per_minute`,
// `tokens_per_day`, `concurrency`, `output_default_max`, `hold_ms_max`, `allowed_models`,
// `allowed_providers`, `ignored_providers`, `allowed_regions`, `enforce_zdr`,
// `deny_data_collection`, `markup_ppm` and `log_content`. A member that is not known is an error,
// so that a misspelt limit does not limit nothing. No answer repeats a body.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "control/account_store.h"
#include "control/usage_source.h"

namespace leat::control {

class LedgerUsage;

// Who asks. The operator has the machine and may do all; others have a key, and see and change
// what their organisation has.
struct ManagementActor {
  bool is_operator = false;
  policy::AccountId organisation = AccountStore::kFirst;
  std::optional<KeyDigest> key;  // none: it came without one
};

struct ManagementRequest {
  std::string_view method;  // upper case
  std::string_view path;    // "/keys/0123", without the API's prefix
  std::string_view query;   // without the question mark
  std::string_view body;
  ManagementActor actor;
  // The operator's wish, by name; empty: actor.organisation. Others have one only.
  std::string_view organisation;
};

struct ManagementAnswer {
  int status = 200;
  std::string body;  // JSON
};

class Management {
 public:
  // `master` seals provider keys; without it there are none. The keys of `configured` may ask about
  // themselves; null: there are none. `ledger` knows single requests and days; null: nobody does.
  // All outlive this object.
  Management(AccountStore& store, const UsageSource& usage,
             std::optional<tls::AeadKey> master = std::nullopt, const Options* configured = nullptr,
             const LedgerUsage* ledger = nullptr)
      : store_(store), usage_(usage), master_(master), configured_(configured), ledger_(ledger) {}

  ManagementAnswer handle(const ManagementRequest& request, WallTime now);
  // Others, from here on; null: there are none.
  void set_configured(const Options* configured) { configured_ = configured; }

 private:
  friend class ManagementKeys;
  friend class ManagementWorkspaces;
  friend class ManagementByok;
  friend class ManagementUsage;
  ManagementAnswer answer(const ManagementRequest& request, WallTime now);

  AccountStore& store_;
  const UsageSource& usage_;
  std::optional<tls::AeadKey> master_;
  const Options* configured_;
  const LedgerUsage* ledger_;
};

// Whether a path of the API is one of management's.
bool is_management_path(std::string_view path);

}  // namespace leat::control
