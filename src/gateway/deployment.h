// SPDX-License-Identifier: Apache-2.0
// Deployment: what one shard makes of one configuration: connections to its providers, what is
// known of its endpoints' health, budgets for attempts. A request is decided by the deployment that
// is the shard's when its body has come, and ends with it, whatever is deployed meanwhile; the last
// one frees it (Gateway). Providers that two configurations describe alike share their connections.
//
// Belongs to its shard's Gateway.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/configuration.h"
#include "gateway/own_key_states.h"
#include "gateway/shard_health.h"
#include "net/tcp_stream.h"
#include "net/upstream_pool.h"
#include "policy/ack_delay.h"
#include "policy/retry_budget.h"
#include "tls/context.h"

namespace leat::gateway {

class SimulatedProvider;

// Made on the shard that uses them.
struct DeploymentTls {
  std::shared_ptr<tls::ServerContext> server;                  // null: no tls:// listener
  std::vector<std::shared_ptr<tls::ClientContext>> providers;  // null: plain or simulated
};

// What connections to providers are made with; all of it outlives every deployment.
struct DialParts {
  shard::Shard& shard;
  net::TcpStreams& streams;
  SimulatedProvider& simulated;
  net::Resolver* resolver;
};

// The way to one provider.
struct Upstream {
  std::shared_ptr<tls::ClientContext> tls;
  std::unique_ptr<net::Dialer> dialer;
  std::unique_ptr<net::UpstreamPool> pool;
  policy::RetryBudget budget;
  policy::AckDelay acks;
};

class Deployment {
 public:
  // `before`: whose connections it shares where it can; null: none.
  Deployment(const DialParts& parts, std::shared_ptr<const Configuration> configuration,
             DeploymentTls tls, const Deployment* before);
  // REQUIRES: no users.
  ~Deployment();
  Deployment(const Deployment&) = delete;
  Deployment& operator=(const Deployment&) = delete;

  std::uint32_t generation() const { return configuration_->generation; }
  const Snapshot& snapshot() const { return snapshot_; }
  const Limits& limits() const { return snapshot_.limits(); }
  const ListingSource* listings() const { return configuration_->listings; }
  EndpointCounterTable* endpoint_counters() { return counters_; }
  tls::ServerContext* server_tls() { return tls_.server.get(); }
  ShardHealth& health() { return health_; }
  OwnKeyStates& own_key_states() { return own_key_states_; }
  // Of all the shard's requests, whichever provider they go to.
  policy::RetryBudget& retry_budget() { return retry_budget_; }
  Upstream& upstream_of(const policy::Endpoint& endpoint) {
    return *upstreams_[snapshot_.connection_of(endpoint)];
  }
  const std::vector<std::shared_ptr<Upstream>>& upstreams() const { return upstreams_; }

  // What `before`, which has served so far, was told of keys. Before anything is asked.
  void keep_keys(const Deployment& before, Instant now);

  // `after` serves from here on: connections that it does not share are not kept any more.
  void retire(const Deployment& after);
  // After retire(): nothing that it has of its own is in use.
  bool is_idle() const;

 private:
  friend class DeploymentUse;
  std::shared_ptr<Upstream> make_upstream(const DialParts& parts, std::uint32_t index);
  std::shared_ptr<Upstream> find_upstream(const Deployment& before, std::uint32_t index) const;

  const std::shared_ptr<const Configuration> configuration_;
  const Snapshot& snapshot_;
  DeploymentTls tls_;
  EndpointCounterTable* counters_;
  std::vector<std::shared_ptr<Upstream>> upstreams_;  // by index in Options::providers
  policy::RetryBudget retry_budget_;
  ShardHealth health_;
  OwnKeyStates own_key_states_;
  std::size_t users_ = 0;
};

// A request's hold on its deployment.
class DeploymentUse {
 public:
  explicit DeploymentUse(Deployment& deployment) : deployment_(&deployment) {
    ++deployment_->users_;
  }
  ~DeploymentUse() { --deployment_->users_; }
  DeploymentUse(const DeploymentUse&) = delete;
  DeploymentUse& operator=(const DeploymentUse&) = delete;
  void move_to(Deployment& deployment) {
    --deployment_->users_;
    deployment_ = &deployment;
    ++deployment_->users_;
  }
  Deployment* operator->() const { return deployment_; }
  bool is(const Deployment& deployment) const { return deployment_ == &deployment; }

 private:
  Deployment* deployment_;
};

}  // namespace leat::gateway
