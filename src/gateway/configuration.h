// SPDX-License-Identifier: Apache-2.0
// Configuration: one configuration as control hands it to every shard: what requests are decided
// by, and what is made of files beside it. Immutable; each shard holds it for as long as a request
// of it runs there (deployment.h). What it points to belongs to `owner`.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/endpoint_counters.h"
#include "gateway/key_table.h"
#include "gateway/listing_source.h"
#include "gateway/snapshot.h"
#include "tls/trusted_roots.h"

namespace leat::gateway {

// What TLS contexts are made of: the text of the files that the options name.
struct TlsMaterial {
  std::string certificate_pem;  // empty: no tls:// listener
  std::string key_pem;
  std::vector<const tls::TrustedRoots*> provider_roots;  // by provider; null: plain or simulated
  // Of the roots' text, to tell whether they are the same: by provider, all zero where there are
  // none.
  std::vector<std::array<std::uint8_t, 32>> provider_roots_digests;
};

struct Configuration {
  std::uint32_t generation = 1;  // counts the configurations of a process
  const Snapshot* snapshot = nullptr;
  const TlsMaterial* tls = nullptr;             // null: no TLS at all
  const ListingSource* listings = nullptr;      // null: the routes that list are not there
  std::vector<EndpointCounterTable*> counters;  // by shard; empty: nobody counts
  std::shared_ptr<const void> owner;            // null: they outlive the gateway

  EndpointCounterTable* counters_of(std::uint32_t shard) const {
    return shard < counters.size() ? counters[shard] : nullptr;
  }
};

// What control tells a shard of another configuration. kPrepare makes all that it needs, and
// nothing is served by it yet; kServe: from here on new requests are decided by it, what runs goes
// on as it began; kForget: it is not to be, after all.
struct DeploymentOrder {
  enum class Step : std::uint8_t { kPrepare, kServe, kForget };
  Step step = Step::kPrepare;
  std::uint64_t attempt = 0;                           // with kPrepare: the answer names it
  std::shared_ptr<const Configuration> configuration;  // with kPrepare
  KeyDelta keys;  // with kServe: all keys, as its catalogue has them
};

// The answer to kPrepare.
struct DeploymentReport {
  std::uint32_t shard = 0;
  std::uint64_t attempt = 0;  // as the order's: one that was given up may still be answered
  std::string fault;          // empty: it can serve
};

}  // namespace leat::gateway
