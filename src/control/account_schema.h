// SPDX-License-Identifier: Apache-2.0
// The schema of the account store, as the steps that lead from each version to the next. A step
// that was released is never changed: files are at it.
#pragma once

#include <array>

namespace leat::control {

// "Leat", so that `file` and we tell our databases from others'.
inline constexpr int kStoreApplicationId = 0x4c656174;

// Money is nano-dollars, time unix seconds, booleans 0 and 1; a limit that is NULL does not limit.
// Ids are never used twice: the ledger names accounts by them for ever. Keys have 32-bit ids, since
// shards keep a million of them.
inline constexpr const char* kSchemaStep1 = R"sql(
CREATE TABLE organisations (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 4294967296),
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  prepaid INTEGER NOT NULL DEFAULT 0 CHECK (prepaid IN (0, 1)),
  requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
  tokens_per_minute INTEGER CHECK (tokens_per_minute >= 0),
  tokens_per_day INTEGER CHECK (tokens_per_day >= 0),
  concurrency INTEGER CHECK (concurrency >= 0),
  budget INTEGER CHECK (budget >= 0),
  budget_daily INTEGER CHECK (budget_daily >= 0),
  budget_weekly INTEGER CHECK (budget_weekly >= 0),
  budget_monthly INTEGER CHECK (budget_monthly >= 0),
  counts_byok INTEGER NOT NULL DEFAULT 0 CHECK (counts_byok IN (0, 1)),
  access TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE TABLE workspaces (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 4294967296),
  uuid TEXT NOT NULL UNIQUE,
  organisation INTEGER NOT NULL REFERENCES organisations(id),
  name TEXT NOT NULL CHECK (name <> ''),
  slug TEXT NOT NULL CHECK (slug <> ''),
  description TEXT NOT NULL DEFAULT '',
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
  tokens_per_minute INTEGER CHECK (tokens_per_minute >= 0),
  tokens_per_day INTEGER CHECK (tokens_per_day >= 0),
  concurrency INTEGER CHECK (concurrency >= 0),
  budget INTEGER CHECK (budget >= 0),
  budget_daily INTEGER CHECK (budget_daily >= 0),
  budget_weekly INTEGER CHECK (budget_weekly >= 0),
  budget_monthly INTEGER CHECK (budget_monthly >= 0),
  counts_byok INTEGER NOT NULL DEFAULT 0 CHECK (counts_byok IN (0, 1)),
  access TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  UNIQUE (organisation, slug)
) STRICT;
CREATE TABLE keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 4294967296),
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  organisation INTEGER NOT NULL REFERENCES organisations(id),
  workspace INTEGER REFERENCES workspaces(id),
  name TEXT NOT NULL CHECK (name <> ''),
  label TEXT NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  scope INTEGER NOT NULL CHECK (scope IN (0, 1)),
  expires_at INTEGER,
  markup_ppm INTEGER NOT NULL DEFAULT 0 CHECK (markup_ppm BETWEEN -1000000 AND 9000000),
  requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
  tokens_per_minute INTEGER CHECK (tokens_per_minute >= 0),
  tokens_per_day INTEGER CHECK (tokens_per_day >= 0),
  concurrency INTEGER CHECK (concurrency >= 0),
  budget INTEGER CHECK (budget >= 0),
  budget_daily INTEGER CHECK (budget_daily >= 0),
  budget_weekly INTEGER CHECK (budget_weekly >= 0),
  budget_monthly INTEGER CHECK (budget_monthly >= 0),
  counts_byok INTEGER NOT NULL DEFAULT 0 CHECK (counts_byok IN (0, 1)),
  access TEXT,
  creator TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL,
  updated_at INTEGER,
  CHECK (scope = 1 OR workspace IS NOT NULL),
  CHECK ((budget IS NOT NULL) + (budget_daily IS NOT NULL) + (budget_weekly IS NOT NULL)
         + (budget_monthly IS NOT NULL) <= 1)
) STRICT;
CREATE INDEX keys_by_workspace ON keys(workspace);
CREATE TABLE grants (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  organisation INTEGER NOT NULL REFERENCES organisations(id),
  amount INTEGER NOT NULL CHECK (amount <> 0),
  note TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE provider_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  uuid TEXT NOT NULL UNIQUE,
  workspace INTEGER NOT NULL REFERENCES workspaces(id),
  provider TEXT NOT NULL CHECK (provider <> ''),
  name TEXT NOT NULL DEFAULT '',
  label TEXT NOT NULL,
  enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
  fallback INTEGER NOT NULL DEFAULT 0 CHECK (fallback IN (0, 1)),
  required INTEGER NOT NULL DEFAULT 0 CHECK (required IN (0, 1)),
  sort_order INTEGER NOT NULL DEFAULT 0,
  allowed_models TEXT,
  allowed_key_hashes TEXT,
  allowed_users TEXT,
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER
) STRICT;
CREATE INDEX provider_keys_by_workspace ON provider_keys(workspace);
)sql";

// Tokens of an answer to a request that states no cap.
inline constexpr const char* kSchemaStep2 = R"sql(
ALTER TABLE keys ADD COLUMN output_default_max INTEGER
  CHECK (output_default_max BETWEEN 1 AND 1000000);
)sql";

// Whether what its requests say goes to the content log.
inline constexpr const char* kSchemaStep3 = R"sql(
ALTER TABLE keys ADD COLUMN log_content INTEGER NOT NULL DEFAULT 0 CHECK (log_content IN (0, 1));
)sql";

// Whose keys were, since the ledger goes on naming them.
inline constexpr const char* kSchemaStep4 = R"sql(
CREATE TABLE former_keys (
  id INTEGER PRIMARY KEY,
  creator TEXT NOT NULL CHECK (creator <> '')
) STRICT;
CREATE INDEX keys_by_creator ON keys(creator) WHERE creator <> '';
CREATE INDEX former_keys_by_creator ON former_keys(creator);
CREATE TRIGGER key_leaves AFTER DELETE ON keys WHEN OLD.creator <> '' BEGIN
  INSERT INTO former_keys (id, creator) VALUES (OLD.id, OLD.creator);
END;
)sql";

// How many milliseconds events of its streams may wait; NULL: as long as anybody's.
inline constexpr const char* kSchemaStep5 = R"sql(
ALTER TABLE keys ADD COLUMN hold_ms_max INTEGER CHECK (hold_ms_max BETWEEN 0 AND 100);
)sql";

inline constexpr std::array<const char*, 5> kSchemaSteps = {
    kSchemaStep1, kSchemaStep2, kSchemaStep3, kSchemaStep4, kSchemaStep5};

}  // namespace leat::control
