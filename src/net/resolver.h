// SPDX-License-Identifier: Apache-2.0
// Resolver: host names to addresses, without blocking. The real one is AresResolver; the simulator
// brings its own.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "io/address.h"

namespace leat::net {

struct ResolveTag {};

// One question under way; a member of whoever asks. Destroying it forgets the question.
class ResolveRequest : public ListNode<ResolveTag> {
 public:
  // Addresses in the order to try (port 0), never empty; or why there are none. Called once, never
  // from inside resolve().
  virtual void on_resolved(const Result<std::span<const io::Address>>& addresses) = 0;

 protected:
  ~ResolveRequest() = default;
};

class Resolver {
 public:
  virtual ~Resolver() = default;
  // Answers from the cache while it is fresh. REQUIRES: `request` is not under way.
  virtual void resolve(const std::string& host, ResolveRequest& request) = 0;
};

}  // namespace leat::net
