// SPDX-License-Identifier: Apache-2.0
#include "tls/secret_slots.h"

#include <openssl/mem.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "tls/locked_pages.h"

namespace leat::tls {

namespace {

constexpr std::size_t kRegionBytes = 16 * 1024;
// Most providers' keys have fewer than 200 characters; tokens may have a thousand or two.
constexpr std::array<std::size_t, 3> kSlotBytes = {256, 2 * 1024, SecretSlots::kSecretMax};
constexpr std::size_t kSlotsMax = kRegionBytes / kSlotBytes[0];

std::size_t slot_bytes_for(std::size_t size) {
  LEAT_CHECK(size <= kSlotBytes.back());
  return *std::ranges::lower_bound(kSlotBytes, size);
}

}  // namespace

// Slots of one size.
struct Secret::Region {
  explicit Region(std::size_t bytes) : slot_bytes(bytes) {}

  std::size_t slots() const { return pages.capacity() / slot_bytes; }

  LockedPages pages{kRegionBytes};
  const std::size_t slot_bytes;
  // Set by who puts, cleared, once it is wiped, by who lets go.
  std::array<std::atomic<bool>, kSlotsMax> is_taken{};
};

Secret::Secret(std::shared_ptr<Region> region, std::size_t slot, std::size_t size)
    : region_(std::move(region)),
      data_(region_->pages.data() + slot * region_->slot_bytes),
      slot_(slot),
      size_(size) {}

Secret::~Secret() {
  OPENSSL_cleanse(data_, region_->slot_bytes);
  region_->is_taken[slot_].store(false, std::memory_order_release);
}

SecretRef SecretSlots::put(std::string_view secret) {
  const std::size_t bytes = slot_bytes_for(secret.size());
  const auto in = [&](const std::shared_ptr<Secret::Region>& region) -> SecretRef {
    for (std::size_t slot = 0; slot < std::min(region->slots(), kSlotsMax); ++slot) {
      if (region->is_taken[slot].load(std::memory_order_acquire)) continue;
      region->is_taken[slot].store(true, std::memory_order_relaxed);
      std::shared_ptr<Secret> made(new Secret(region, slot, secret.size()));
      std::memcpy(made->data_, secret.data(), secret.size());
      return made;
    }
    return nullptr;
  };
  // The newest first: the older ones are full as a rule.
  for (std::size_t i = regions_.size(); i-- > 0;) {
    if (regions_[i]->slot_bytes != bytes) continue;
    if (SecretRef made = in(regions_[i])) return made;
  }
  regions_.push_back(std::make_shared<Secret::Region>(bytes));
  if (!regions_.back()->pages.is_locked()) locked_ = false;
  return in(regions_.back());
}

std::span<char> SecretSlots::scratch() {
  if (scratch_ == nullptr) {
    const std::array<char, kSecretMax> nothing{};
    scratch_ = put({nothing.data(), nothing.size()});
  }
  return {scratch_->data_, kSecretMax};
}

SecretRef SecretSlots::put_written(std::size_t size) {
  const std::span<char> written = scratch().first(size);
  SecretRef made = put({written.data(), written.size()});
  OPENSSL_cleanse(written.data(), written.size());
  return made;
}

std::size_t SecretSlots::bytes() const {
  std::size_t bytes = 0;
  for (const auto& region : regions_) bytes += region->pages.capacity();
  return bytes;
}

}  // namespace leat::tls
