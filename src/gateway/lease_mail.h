// SPDX-License-Identifier: Apache-2.0
// LeaseMail: all that one shard has to tell another of leases (policy/quantity.h) in one turn, by
// one message and one wake (owned_message.h). Made by its writer, owned by whoever takes it. The
// order within it says nothing: every message tells totals.
#pragma once

#include <vector>

#include "policy/quantity.h"

namespace leat::gateway {

struct LeaseMail {
  policy::ShardIndex from = 0;
  // To a home.
  std::vector<policy::LeaseReturn> returns;
  std::vector<policy::LeaseAsk> asks;
  // Of a home.
  std::vector<policy::LeaseGrant> grants;
  std::vector<policy::LeaseRecall> recalls;

  bool is_empty() const {
    return returns.empty() && asks.empty() && grants.empty() && recalls.empty();
  }
  // What it holds goes, its memory stays.
  void clear() {
    returns.clear();
    asks.clear();
    grants.clear();
    recalls.clear();
  }
};

}  // namespace leat::gateway
