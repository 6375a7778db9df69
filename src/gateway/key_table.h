// SPDX-License-Identifier: Apache-2.0
// The client keys of a node, found by digest. KeyTable is control's: it holds every key in chunks
// that are never written once made, and makes a new chunk where a key changes. KeyDirectory is a
// shard's: pointers to those chunks, so that all shards together hold each key once. A change goes
// to the shards as a KeyDelta by message; nobody locks, no shard writes what another reads.
//
//   digest --first bits--> chunk --next bits--> slot, then the slots after it up to an empty one
//
// A slot is a whole row, so looking up a key that is cold takes one miss of the cache. A chunk is
// at most two thirds full, and some 64 rows, which is what a change copies.
//
// IF YOU ADD A MEMBER TO KeyRow: a key may take 200 bytes of a node, the slots between and the
// shards' pointers included; key_table_test.cc measures it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/instant.h"
#include "gateway/key_access.h"
#include "gateway/own_keys.h"
#include "gateway/restored_quantity.h"
#include "policy/account.h"

namespace leat::gateway {

// A key as shards need it; trivially copyable. What is 32 bits wide here is checked to fit where
// rows are made (entry_of). Aligned so that a digest lies in one line of the cache.
struct alignas(32) KeyRow {
  static constexpr std::uint32_t kUnlimited = UINT32_MAX;

  KeyDigest digest{};  // all zero: an empty slot
  // What this key allows within its workspace, or null: what the workspace allows. Lives as long as
  // the chunk that the row is in.
  const KeyAccess* access = nullptr;
  policy::Nanodollars budget = policy::Budgets::kUnlimited;
  std::uint64_t tokens_per_minute = policy::RateLimits::kUnlimited;
  std::uint64_t tokens_per_day = policy::RateLimits::kUnlimited;
  std::uint32_t id = 0;
  std::uint32_t workspace = 0;
  std::uint32_t organisation = 0;
  std::uint32_t expires_at = 0;  // unix seconds; 0: never
  std::int32_t markup_ppm = 0;
  std::uint32_t requests_per_minute = kUnlimited;
  std::uint32_t concurrency = kUnlimited;
  // The last four bytes; with a byte more a row would be half of one longer.
  std::uint32_t output_default_max : 20 = 0;                // as in policy::Key
  std::uint32_t hold_2ms_max : 6 = policy::kHoldMsMax / 2;  // in steps of 2 ms; what is odd is less
  policy::BudgetPeriod period : 2 = policy::BudgetPeriod::kNone;
  policy::KeyScope scope : 1 = policy::KeyScope::kInference;
  bool is_enabled : 1 = true;
  bool counts_byok : 1 = false;
  bool logs_content : 1 = false;

  // As admission asks every level.
  policy::Quota quota() const;
};
static_assert(sizeof(KeyRow) == 96);
static_assert(policy::kBudgetPeriods <= 4 && policy::kOutputDefaultMax < 1u << 20 &&
              policy::kHoldMsMax / 2 < 1u << 6 && policy::kHoldMsMax == HoldOptions::kMsMax);

// A workspace, or an organisation, as shards need it.
struct AccountRow {
  std::uint32_t id = 0;
  std::uint32_t organisation = 0;  // that a workspace belongs to; its own id for an organisation
  bool is_workspace = false;
  bool is_enabled = true;
  bool is_prepaid = false;
  bool is_removed = false;  // in a delta: there is none of that id any more
  policy::Nanodollars granted = 0;
  policy::Quota quota;
  std::shared_ptr<const KeyAccess> access;  // with what the organisation allows; may be null: all
  std::shared_ptr<const OwnKeys> own_keys;  // of a workspace; null: it brought none
};

// What a key is made of. `access` as in KeyRow.
struct KeyEntry {
  KeyRow row;
  std::shared_ptr<const KeyAccess> access;
};
// REQUIRES: the ids fit 32 bits and the key has at most one budget; the store sees to both.
KeyEntry entry_of(const policy::Key& key, const KeyDigest& digest,
                  std::shared_ptr<const KeyAccess> access);

// Immutable once it is in a table.
struct KeyChunk {
  std::vector<KeyRow> slots;
  std::vector<std::shared_ptr<const KeyAccess>> accesses;  // that the rows point at
  std::uint32_t used = 0;
};

// What has changed. The same for all shards; a later one overrides an earlier one.
struct KeyDelta {
  struct Chunk {
    std::uint32_t index = 0;
    std::shared_ptr<const KeyChunk> chunk;
  };
  std::uint32_t chunk_count = 0;  // of the table; not the directory's: `chunks` are all of them
  std::vector<Chunk> chunks;
  std::vector<std::shared_ptr<const AccountRow>> accounts;
  std::uint32_t version = 0;  // of the table that it makes; the same on every shard
  // Of the limits that accounts have now: what had been used before. Each has one shard to hear it.
  std::vector<RestoredQuantity> used;

  bool is_empty() const { return chunks.empty() && accounts.empty(); }
  // For a shard whose mailbox is full: it gets both at once, later.
  void append(const KeyDelta& later);
};

class KeyTable {
 public:
  KeyTable();

  // Nothing is in it any more; its versions go on.
  void clear();
  // All at once, in place of what there was. Of two rows with one digest the later counts.
  void assign(std::span<const KeyEntry> entries);
  // New or changed. Returns what to tell the shards.
  KeyDelta put(const KeyEntry& entry);
  KeyDelta remove(const KeyDigest& digest);
  KeyDelta put(AccountRow account);

  // All that a directory needs to begin with.
  KeyDelta whole() const;
  std::size_t size() const { return size_; }
  // Of chunks and rows, without what directories add.
  std::size_t bytes() const;

 private:
  static std::uint64_t account_key(const AccountRow& account);
  void regrow(std::size_t rows);
  KeyDelta replace(std::size_t index, std::vector<KeyEntry> entries);
  std::vector<KeyEntry> entries_of(std::size_t index) const;

  std::vector<std::shared_ptr<const KeyChunk>> chunks_;  // a power of two
  std::unordered_map<std::uint64_t, std::shared_ptr<const AccountRow>> accounts_;
  std::size_t size_ = 0;
  std::uint32_t version_ = 0;  // counts changes
};

// Why a key does not open. To the outside all of these are one answer.
enum class KeyFault : std::uint8_t { kNone, kUnknown, kDisabled, kExpired, kScope };

// What a request keeps of its key while it is read: it is looked up again before it is decided.
struct RequestKey {
  KeyDigest digest{};
  std::uint32_t id = 0;  // 0: none
};

class KeyDirectory {
 public:
  // What a request may know of its key. Pointers hold until the next apply(): who waits in between
  // finds again, and thereby hears of a key that was revoked meanwhile.
  struct Found {
    KeyFault fault = KeyFault::kUnknown;
    const KeyRow* key = nullptr;            // null with kUnknown only
    const AccountRow* workspace = nullptr;  // may be null: a key of no workspace
    const AccountRow* organisation = nullptr;
    // What key, workspace and organisation allow together; null: everything.
    const KeyAccess* access = nullptr;
  };

  KeyDirectory();

  void apply(const KeyDelta& delta);
  // The whole digest is compared, in a time that does not depend on how much of it is right.
  const KeyRow* find(const KeyDigest& digest) const;
  Found look_up(const KeyDigest& digest, policy::KeyScope scope, WallTime now) const;
  // A provider key of that workspace, as of the last delta; null: it has none of that id. Holds
  // until the next.
  const OwnKey* own_key(std::uint32_t workspace, std::uint32_t id) const;

  std::size_t bytes() const;
  // Of the table as of the last delta: what is made of rows holds until it changes.
  std::uint32_t version() const { return version_; }

 private:
  struct Place {
    const KeyRow* slots = nullptr;
    std::uint32_t count = 0;
  };
  using Accounts = std::unordered_map<std::uint32_t, std::shared_ptr<const AccountRow>>;
  static const AccountRow* in(const Accounts& accounts, std::uint32_t id);

  std::vector<Place> places_;  // apart from the owners: what a lookup touches stays small
  std::vector<std::shared_ptr<const KeyChunk>> owners_;
  Accounts workspaces_;
  Accounts organisations_;
  std::uint32_t version_ = 0;
};

}  // namespace leat::gateway
