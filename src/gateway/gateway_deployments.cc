// SPDX-License-Identifier: Apache-2.0
// How a shard comes to serve by another configuration (deployment.h): made first, so that what can
// fail fails before any shard serves by it, then exchanged between two requests.
#include <unordered_set>
#include <utility>

#include "gateway/gateway.h"

namespace leat::gateway {

namespace {

void add(net::PoolStats& sum, const net::PoolStats& other) {
  sum.dialed += other.dialed;
  sum.dial_failures += other.dial_failures;
  sum.reused += other.reused;
  sum.expected += other.expected;
  sum.borrowed += other.borrowed;
  sum.stray_bytes += other.stray_bytes;
}

}  // namespace

DialParts Gateway::dial_parts() {
  return {shard_, tcp_streams_, *simulated_, parts_.resolver};
}

void Gateway::take(std::unique_ptr<DeploymentOrder> order) {
  switch (order->step) {
    case DeploymentOrder::Step::kPrepare: {
      DeploymentReport report{.shard = shard_.index(), .attempt = order->attempt, .fault = {}};
      report.fault = prepare(std::move(order->configuration));
      if (on_prepared) on_prepared(std::move(report));
      return;
    }
    case DeploymentOrder::Step::kServe:
      return serve_prepared(order->keys);
    case DeploymentOrder::Step::kForget:
      prepared_.reset();
      return;
  }
}

std::string Gateway::prepare(std::shared_ptr<const Configuration> configuration) {
  prepared_.reset();
  DeploymentTls tls;
  if (parts_.make_tls) {
    if (std::string fault = parts_.make_tls(*configuration, tls); !fault.empty()) return fault;
  }
  prepared_ = std::make_unique<Deployment>(dial_parts(), std::move(configuration), std::move(tls),
                                           deployment_.get());
  return {};
}

void Gateway::serve_prepared(const KeyDelta& keys) {
  if (prepared_ == nullptr) return;
  prepared_->keep_keys(*deployment_, shard_.now());
  deployment_->retire(*prepared_);
  retired_.push_back(std::exchange(deployment_, std::move(prepared_)));
  limits_.begin_with(keys.used);
  keys_.apply(keys);
  addresses_.set_limits(limits());
  mind_core();
  limits_.hold_for(snapshot().request_max() + kSettleTime);
  untold_.reset();  // of endpoints by their former numbers
  exchange_tickets();
  exchange_connections();
  if (draining_) {
    drain_pools();
  } else {
    for (const auto& upstream : deployment_->upstreams()) upstream->pool->keep_warm();
  }
}

void Gateway::free_idle_deployments() {
  std::erase_if(retired_, [this](const std::unique_ptr<Deployment>& each) {
    if (!each->is_idle()) return false;
    for (const auto& upstream : each->upstreams()) {
      if (upstream.use_count() == 1) add(pools_before_, upstream->pool->stats());
    }
    return true;
  });
}

void Gateway::exchange_tickets() {
  const auto& providers = snapshot().options().providers;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    const auto& context = deployment_->upstreams()[i]->tls;
    if (context != nullptr) tickets_.serve(context, providers[i].base_url.host);
  }
}

void Gateway::exchange_connections() {
  const auto& providers = snapshot().options().providers;
  std::vector<ConnectionExchange::Served> pools;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    const Provider& provider = providers[i];
    if (provider.format == ProviderFormat::kSimulated) continue;
    const Upstream& upstream = *deployment_->upstreams()[i];
    ConnectionPeer peer{.provider = provider.name,
                        .host = provider.base_url.host,
                        .port = provider.base_url.port,
                        .is_tls = upstream.tls != nullptr,
                        .allows_private = provider.allow_private,
                        .scope = {}};
    if (upstream.tls != nullptr) peer.scope = upstream.tls->scope();
    pools.push_back({std::move(peer), upstream.pool.get()});
  }
  connections_lent_.serve(std::move(pools));
}

// Each once, though deployments share them; in an order that does not come from where they lie, so
// that a simulated world goes the same way again.
template <class Visit>
void Gateway::each_upstream(Visit visit) {
  std::unordered_set<const Upstream*> seen;
  const auto visit_new = [&](const Deployment& deployment) {
    for (const auto& upstream : deployment.upstreams()) {
      if (seen.insert(upstream.get()).second) visit(*upstream);
    }
  };
  visit_new(*deployment_);
  for (const auto& each : retired_) visit_new(*each);
}

void Gateway::drain_pools() {
  each_upstream([](Upstream& upstream) { upstream.pool->drain(); });
}

void Gateway::refresh_pools() {
  net::PoolStats sum = pools_before_;
  std::size_t idle = 0;
  std::size_t open = 0;
  std::size_t http2_connections = 0;
  std::size_t http2_streams = 0;
  each_upstream([&](const Upstream& upstream) {
    add(sum, upstream.pool->stats());
    idle += upstream.pool->idle_count();
    open += upstream.pool->open_count();
    http2_connections += upstream.pool->http2_count();
    http2_streams += upstream.pool->http2_streams();
  });
  counters_.pool_idle.set(idle);
  counters_.pool_open.set(open);
  counters_.pool_http2_connections.set(http2_connections);
  counters_.pool_http2_streams.set(http2_streams);
  counters_.pool_dialed.set(sum.dialed);
  counters_.pool_expected.set(sum.expected);
  counters_.pool_borrowed.set(sum.borrowed);
  counters_.pool_dial_failures.set(sum.dial_failures);
  counters_.pool_reused.set(sum.reused);
  counters_.pool_stray_bytes.set(sum.stray_bytes);
}

}  // namespace leat::gateway
