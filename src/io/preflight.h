// SPDX-License-Identifier: Apache-2.0
// Preflight: tries each kernel feature that UringIo would like to use, by using it, on a real ring.
// A version number proves nothing: features are back-ported, disabled and broken. Takes about a
// millisecond; used by UringIo::create() and by `leat doctor`. Sends nothing over a network.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"

namespace leat::io {

enum class Feature : std::uint8_t {
  kRegisteredRing,      // enter without a descriptor look-up
  kMultishotReceive,    // one receive operation for many receptions
  kIncrementalBuffers,  // a buffer filled slice by slice
  kSilentSend,          // no completion for a send that took everything
  kMinWait,             // wait for a batch, but not long
  kNoIowait,            // waiting is not shown as disk wait
  kAbsoluteTimer,       // waits until a point in time
  kRestrictions,        // a ring that takes the operations it was told of, and no others
  kReceiveCap,          // a bound on what one reception of a lasting receive brings
  kNapi,                // asks network cards for packets before it sleeps, if told to
};
inline constexpr std::size_t kFeatureCount = 10;

struct Capability {
  const char* name = "";
  bool offered = false;  // the kernel knows it
  bool used = false;     // and it does what we need
  const char* why = "";  // static text
};

struct Capabilities {
  std::array<Capability, kFeatureCount> features;

  const Capability& operator[](Feature feature) const {
    return features[static_cast<std::size_t>(feature)];
  }
  bool uses(Feature feature) const { return (*this)[feature].used; }
};

// Error kUnsupported: no ring can be had, or one that lacks what Leat cannot do without.
Result<Capabilities> run_preflight();

}  // namespace leat::io
