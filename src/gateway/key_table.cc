// SPDX-License-Identifier: Apache-2.0
#include "gateway/key_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tls/digest.h"

namespace leat::gateway {

namespace {

// Rows of a chunk on average, right after a (re)growth and before the next.
constexpr std::size_t kRowsMin = 32;
constexpr std::size_t kRowsMax = 128;

// SHA-256 is its own hash: its bits are spread evenly, and nobody chooses them more cheaply than
// keys.
std::uint64_t word_of(const KeyDigest& digest, std::size_t index) {
  std::uint64_t word;
  std::memcpy(&word, digest.data() + index * sizeof word, sizeof word);
  return word;
}

std::size_t chunk_of(const KeyDigest& digest, std::size_t chunks) {
  return word_of(digest, 0) & (chunks - 1);
}

// Evenly into [0, slots), without a division.
std::size_t slot_of(const KeyDigest& digest, std::size_t slots) {
  return ((word_of(digest, 1) >> 32) * slots) >> 32;
}

// By the digest, which a search reads anyway. No text is known to have the digest 0.
bool is_empty(const KeyRow& row) {
  return tls::equal_constant_time(row.digest, KeyDigest{});
}

std::uint32_t narrow(std::uint64_t limit) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, KeyRow::kUnlimited));
}

std::uint64_t widen(std::uint32_t limit) {
  return limit == KeyRow::kUnlimited ? policy::RateLimits::kUnlimited : limit;
}

// Two thirds full at most, with an empty slot for every search to end at.
std::size_t slots_for(std::size_t rows) {
  return rows + rows / 2 + 1;
}

std::shared_ptr<const KeyChunk> chunk_from(std::span<const KeyEntry> entries) {
  auto chunk = std::make_shared<KeyChunk>();
  chunk->slots.resize(slots_for(entries.size()));
  for (const KeyEntry& entry : entries) {
    std::size_t slot = slot_of(entry.row.digest, chunk->slots.size());
    while (!is_empty(chunk->slots[slot]) && chunk->slots[slot].digest != entry.row.digest) {
      slot = slot + 1 == chunk->slots.size() ? 0 : slot + 1;
    }
    if (is_empty(chunk->slots[slot])) ++chunk->used;
    chunk->slots[slot] = entry.row;
    chunk->slots[slot].access = entry.access.get();
    // Keys made alike stand together often enough to hold one such list once.
    if (entry.access && std::find(chunk->accesses.begin(), chunk->accesses.end(), entry.access) ==
                            chunk->accesses.end()) {
      chunk->accesses.push_back(entry.access);
    }
  }
  return chunk;
}

}  // namespace

policy::Quota KeyRow::quota() const {
  policy::Quota quota;
  quota.rates = {.requests_per_minute = widen(requests_per_minute),
                 .tokens_per_minute = tokens_per_minute,
                 .tokens_per_day = tokens_per_day,
                 .concurrency = widen(concurrency)};
  quota.budgets[period] = budget;
  quota.counts_byok = counts_byok;
  return quota;
}

KeyEntry entry_of(const policy::Key& key, const KeyDigest& digest,
                  std::shared_ptr<const KeyAccess> access) {
  LEAT_CHECK(key.id != 0 && key.id <= UINT32_MAX && key.workspace <= UINT32_MAX &&
             key.organisation <= UINT32_MAX);
  KeyEntry entry;
  KeyRow& row = entry.row;
  row.digest = digest;
  row.id = static_cast<std::uint32_t>(key.id);
  row.workspace = static_cast<std::uint32_t>(key.workspace);
  row.organisation = static_cast<std::uint32_t>(key.organisation);
  row.is_enabled = key.is_enabled;
  row.scope = key.scope;
  row.counts_byok = key.quota.counts_byok;
  row.logs_content = key.logs_content;
  row.markup_ppm = key.markup_ppm;
  row.output_default_max = std::min(key.output_default_max, policy::kOutputDefaultMax);
  row.hold_2ms_max = std::min(key.hold_ms_max, policy::kHoldMsMax) / 2;
  // What lies before 1970 has expired, what lies beyond 2106 never does.
  if (key.expires_at != 0) {
    row.expires_at =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(key.expires_at, 1, UINT32_MAX));
  }
  row.requests_per_minute = narrow(key.quota.rates.requests_per_minute);
  row.concurrency = narrow(key.quota.rates.concurrency);
  row.tokens_per_minute = key.quota.rates.tokens_per_minute;
  row.tokens_per_day = key.quota.rates.tokens_per_day;
  std::size_t budgets = 0;
  for (std::size_t i = 0; i < policy::kBudgetPeriods; ++i) {
    if (key.quota.budgets.amounts[i] == policy::Budgets::kUnlimited) continue;
    row.period = static_cast<policy::BudgetPeriod>(i);
    row.budget = key.quota.budgets.amounts[i];
    ++budgets;
  }
  LEAT_CHECK(budgets <= 1);
  entry.access = std::move(access);
  return entry;
}

void KeyDelta::append(const KeyDelta& later) {
  if (later.chunk_count != 0 && later.chunk_count != chunk_count) chunks.clear();
  if (later.chunk_count != 0) chunk_count = later.chunk_count;
  chunks.insert(chunks.end(), later.chunks.begin(), later.chunks.end());
  accounts.insert(accounts.end(), later.accounts.begin(), later.accounts.end());
  used.insert(used.end(), later.used.begin(), later.used.end());
  version = later.version;
}

KeyTable::KeyTable() : chunks_(1, chunk_from({})) {}

void KeyTable::clear() {
  assign({});
  accounts_.clear();
}

void KeyTable::assign(std::span<const KeyEntry> entries) {
  ++version_;
  const std::size_t count = std::bit_ceil(std::max<std::size_t>(entries.size() / kRowsMin, 1)) / 2;
  chunks_.assign(std::max<std::size_t>(count, 1), nullptr);
  // Counted first, so that each chunk's rows stand together without a container for each.
  std::vector<std::uint32_t> begins(chunks_.size() + 1, 0);
  for (const KeyEntry& entry : entries) ++begins[chunk_of(entry.row.digest, chunks_.size()) + 1];
  for (std::size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
  std::vector<std::uint32_t> order(entries.size());
  std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    order[next[chunk_of(entries[i].row.digest, chunks_.size())]++] = static_cast<std::uint32_t>(i);
  }
  size_ = 0;
  std::vector<KeyEntry> rows;
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    rows.clear();
    for (std::uint32_t at = begins[i]; at < begins[i + 1]; ++at) {
      rows.push_back(entries[order[at]]);
    }
    chunks_[i] = chunk_from(rows);
    size_ += chunks_[i]->used;
  }
}

std::vector<KeyEntry> KeyTable::entries_of(std::size_t index) const {
  const KeyChunk& chunk = *chunks_[index];
  std::vector<KeyEntry> entries;
  for (const KeyRow& row : chunk.slots) {
    if (is_empty(row)) continue;
    KeyEntry& entry = entries.emplace_back(KeyEntry{row, nullptr});
    for (const auto& access : chunk.accesses) {
      if (access.get() == row.access) entry.access = access;
    }
  }
  return entries;
}

KeyDelta KeyTable::replace(std::size_t index, std::vector<KeyEntry> entries) {
  ++version_;
  auto made = chunk_from(entries);
  size_ = size_ - chunks_[index]->used + made->used;
  chunks_[index] = std::move(made);
  if (size_ > chunks_.size() * kRowsMax) {
    std::vector<KeyEntry> all;
    all.reserve(size_);
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      for (KeyEntry& entry : entries_of(i)) all.push_back(std::move(entry));
    }
    assign(all);
    KeyDelta delta = whole();
    delta.accounts.clear();
    return delta;
  }
  KeyDelta delta;
  delta.version = version_;
  delta.chunk_count = static_cast<std::uint32_t>(chunks_.size());
  delta.chunks.push_back({static_cast<std::uint32_t>(index), chunks_[index]});
  return delta;
}

KeyDelta KeyTable::put(const KeyEntry& entry) {
  const std::size_t index = chunk_of(entry.row.digest, chunks_.size());
  std::vector<KeyEntry> entries = entries_of(index);
  entries.push_back(entry);  // of two with one digest the later counts
  return replace(index, std::move(entries));
}

KeyDelta KeyTable::remove(const KeyDigest& digest) {
  const std::size_t index = chunk_of(digest, chunks_.size());
  std::vector<KeyEntry> entries = entries_of(index);
  std::erase_if(entries, [&](const KeyEntry& entry) { return entry.row.digest == digest; });
  return replace(index, std::move(entries));
}

std::uint64_t KeyTable::account_key(const AccountRow& account) {
  return std::uint64_t{account.id} << 1 | (account.is_workspace ? 1 : 0);
}

KeyDelta KeyTable::put(AccountRow account) {
  const std::uint64_t key = account_key(account);
  KeyDelta delta;
  delta.version = ++version_;
  delta.accounts.push_back(std::make_shared<const AccountRow>(std::move(account)));
  if (delta.accounts.back()->is_removed) {
    accounts_.erase(key);
  } else {
    accounts_[key] = delta.accounts.back();
  }
  return delta;
}

KeyDelta KeyTable::whole() const {
  KeyDelta delta;
  delta.version = version_;
  delta.chunk_count = static_cast<std::uint32_t>(chunks_.size());
  delta.chunks.reserve(chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    delta.chunks.push_back({static_cast<std::uint32_t>(i), chunks_[i]});
  }
  for (const auto& [key, account] : accounts_) delta.accounts.push_back(account);
  return delta;
}

std::size_t KeyTable::bytes() const {
  constexpr std::size_t kControlBlock = 16;  // of make_shared
  std::size_t bytes = chunks_.capacity() * sizeof(chunks_[0]);
  for (const auto& chunk : chunks_) {
    bytes += sizeof(KeyChunk) + kControlBlock + chunk->slots.capacity() * sizeof(KeyRow) +
             chunk->accesses.capacity() * sizeof(chunk->accesses[0]);
  }
  return bytes;
}

KeyDirectory::KeyDirectory() {
  apply(KeyTable().whole());
}

void KeyDirectory::apply(const KeyDelta& delta) {
  version_ = delta.version;
  if (delta.chunk_count != 0 && delta.chunk_count != places_.size()) {
    LEAT_CHECK(delta.chunks.size() >= delta.chunk_count);
    places_.assign(delta.chunk_count, {});
    owners_.assign(delta.chunk_count, nullptr);
  }
  for (const KeyDelta::Chunk& change : delta.chunks) {
    places_[change.index] = {change.chunk->slots.data(),
                             static_cast<std::uint32_t>(change.chunk->slots.size())};
    owners_[change.index] = change.chunk;
  }
  for (const auto& account : delta.accounts) {
    Accounts& accounts = account->is_workspace ? workspaces_ : organisations_;
    if (account->is_removed) {
      accounts.erase(account->id);
    } else {
      accounts[account->id] = account;
    }
  }
}

const KeyRow* KeyDirectory::find(const KeyDigest& digest) const {
  const Place place = places_[chunk_of(digest, places_.size())];
  std::size_t slot = slot_of(digest, place.count);
  for (;;) {
    const KeyRow& row = place.slots[slot];
    if (tls::equal_constant_time(row.digest, digest)) return is_empty(row) ? nullptr : &row;
    if (is_empty(row)) return nullptr;
    slot = slot + 1 == place.count ? 0 : slot + 1;
  }
}

const AccountRow* KeyDirectory::in(const Accounts& accounts, std::uint32_t id) {
  const auto found = accounts.find(id);
  return found == accounts.end() ? nullptr : found->second.get();
}

KeyDirectory::Found KeyDirectory::look_up(const KeyDigest& digest, policy::KeyScope scope,
                                          WallTime now) const {
  Found found;
  found.key = find(digest);
  if (found.key == nullptr) return found;
  const KeyRow& key = *found.key;
  found.workspace = in(workspaces_, key.workspace);
  found.organisation = in(organisations_, key.organisation);
  found.access = key.access;
  if (found.access == nullptr && found.workspace != nullptr) {
    found.access = found.workspace->access.get();
  } else if (found.access == nullptr && found.organisation != nullptr) {
    found.access = found.organisation->access.get();
  }
  // What a key belongs to and is not there cannot vouch for it.
  const bool has_parents =
      found.organisation != nullptr && found.organisation->is_enabled &&
      (key.workspace == 0 || (found.workspace != nullptr && found.workspace->is_enabled));
  if (!key.is_enabled || !has_parents) {
    found.fault = KeyFault::kDisabled;
  } else if (key.expires_at != 0 && now.unix_seconds() >= key.expires_at) {
    found.fault = KeyFault::kExpired;
  } else if (key.scope != scope) {
    found.fault = KeyFault::kScope;
  } else {
    found.fault = KeyFault::kNone;
  }
  return found;
}

const OwnKey* KeyDirectory::own_key(std::uint32_t workspace, std::uint32_t id) const {
  const AccountRow* const row = in(workspaces_, workspace);
  if (row == nullptr || row->own_keys == nullptr) return nullptr;
  const auto found = std::ranges::find(*row->own_keys, id, &OwnKey::id);
  return found == row->own_keys->end() ? nullptr : &*found;
}

std::size_t KeyDirectory::bytes() const {
  return places_.capacity() * sizeof(places_[0]) + owners_.capacity() * sizeof(owners_[0]);
}

}  // namespace leat::gateway
