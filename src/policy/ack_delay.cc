// SPDX-License-Identifier: Apache-2.0
#include "policy/ack_delay.h"

namespace leat::policy {

bool AckDelay::may_begin(Instant now) {
  if (is_proven_) return true;
  if (now < rests_until_) return false;
  if (tries_ >= kTriesMax) {
    if (now < last_try_ + kTryTime) return false;
    tries_ = misses_;
  }
  ++tries_;
  last_try_ = now;
  return true;
}

void AckDelay::kept() {
  is_proven_ = true;
  misses_ = 0;
}

void AckDelay::missed(Instant now) {
  if (now < rests_until_) return;
  ++misses_;
  if (misses_ >= (is_proven_ ? kMissesMax : kTriesMax)) rest(now);
}

void AckDelay::rest(Instant now) {
  is_proven_ = false;
  tries_ = 0;
  misses_ = 0;
  rests_until_ = now + kRest;
  ++rests_;
}

AckStep AckWatch::on_receive(AckDelay& provider, Mode mode, std::uint64_t bytes, Instant now) {
  if (bytes - bytes_ > kSmallMax) is_small_ = false;
  bytes_ = bytes;
  if (--left_ > 0) return AckStep::kNothing;
  if (is_trying_ || is_kept_) return AckStep::kLook;
  return begin(provider, mode, now);
}

AckStep AckWatch::begin(AckDelay& provider, Mode mode, Instant now) {
  if (mode == Mode::kAuto && !provider.may_begin(now)) {
    left_ = kLookEvery;
    return AckStep::kNothing;
  }
  left_ = kProofReceives;
  is_trying_ = true;
  is_small_ = true;
  return AckStep::kDelay;
}

AckStep AckWatch::looked(AckDelay& provider, Mode mode, bool is_delaying, Instant now) {
  left_ = kLookEvery;
  if (!is_trying_) {
    // It left off some time since: at a pause of the stream, most likely.
    is_kept_ = is_delaying;
    return is_delaying ? AckStep::kNothing : begin(provider, mode, now);
  }
  is_trying_ = false;
  is_kept_ = is_delaying;
  if (mode == Mode::kAlways) return AckStep::kNothing;
  if (is_delaying && is_small_) {
    provider.kept();
  } else {
    provider.missed(now);
  }
  return AckStep::kNothing;
}

}  // namespace leat::policy
