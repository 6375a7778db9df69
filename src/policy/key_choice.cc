// SPDX-License-Identifier: Apache-2.0
#include "policy/key_choice.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace leat::policy {
namespace {

// By time and not by sample: a key that is not used is forgiven as quickly as one that is.
constexpr double kDecaySeconds = 10;
constexpr double kPenaltySeconds = 5;
// What an unmeasured key is taken for, so that in-flight counts tell two of them apart.
constexpr double kUnknownSeconds = 0.1;
constexpr double kHeadroomMin = 0.01;

}  // namespace

void KeyHealth::ended() {
  LEAT_CHECK(in_flight_ > 0);
  --in_flight_;
}

double KeyHealth::decayed(double value, Instant since, Instant now) const {
  return value * std::exp(-(now - since).seconds() / kDecaySeconds);
}

void KeyHealth::first_token_came(Duration took, Instant now) {
  const double sample = took.seconds();
  // A rise counts at once, a fall only in time: between, the mean of both moves by how long ago the
  // last sample was.
  const double kept = decayed(1, peak_at_, now);
  peak_s_ = sample >= peak_s_ ? sample : peak_s_ * kept + sample * (1 - kept);
  peak_at_ = now;
}

void KeyHealth::failed(Duration wait, Instant now) {
  const double fresh = std::max(kPenaltySeconds, wait.seconds());
  penalty_s_ = std::max(decayed(penalty_s_, penalty_at_, now), fresh);
  penalty_at_ = now;
}

Instant KeyHealth::usable_from() const {
  return std::max(rests_until_, rate_.limited_until());
}

double KeyHealth::score(Instant now) const {
  const double wait = std::max(peak_s_, kUnknownSeconds) * (in_flight_ + 1.0);
  const double load = std::max(wait, decayed(penalty_s_, penalty_at_, now));
  return load / std::max(rate_.headroom(now), kHeadroomMin);
}

std::optional<std::size_t> choose_key(std::span<const KeyHealth> keys, std::uint64_t tried,
                                      Instant now, Rng& rng) {
  LEAT_CHECK(keys.size() <= kKeysMax);
  std::array<std::uint8_t, kKeysMax> usable;
  std::size_t count = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if ((tried >> i & 1) != 0 || now < keys[i].usable_from()) continue;
    usable[count++] = static_cast<std::uint8_t>(i);
  }
  if (count == 0) return std::nullopt;
  if (count == 1) return usable[0];
  const std::size_t a = static_cast<std::size_t>(rng.below(count));
  std::size_t b = static_cast<std::size_t>(rng.below(count - 1));
  if (b >= a) ++b;
  const std::size_t first = usable[a];
  const std::size_t second = usable[b];
  return keys[second].score(now) < keys[first].score(now) ? second : first;
}

Instant keys_usable_from(std::span<const KeyHealth> keys) {
  Instant first = kNever;
  for (const KeyHealth& key : keys) first = std::min(first, key.usable_from());
  return first;
}

}  // namespace leat::policy
