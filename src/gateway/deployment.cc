// SPDX-License-Identifier: Apache-2.0
#include "gateway/deployment.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "gateway/simulated_provider.h"
#include "net/connector.h"

namespace leat::gateway {

namespace {

// Whether connections to one are connections to the other. Keys are shown with each request.
bool is_same_way(Provider a, Provider b) {
  a.api_keys.clear();
  b.api_keys.clear();
  a.display_name = b.display_name;
  a.delayed_acks = b.delayed_acks;  // is told to each stream anew
  return a == b;
}

net::UpstreamProtocol pool_protocol(ProviderProtocol protocol) {
  if (protocol == ProviderProtocol::kHttp2) return net::UpstreamProtocol::kHttp2;
  if (protocol == ProviderProtocol::kAuto) return net::UpstreamProtocol::kEither;
  return net::UpstreamProtocol::kHttp1;
}

}  // namespace

Deployment::Deployment(const DialParts& parts, std::shared_ptr<const Configuration> configuration,
                       DeploymentTls tls, const Deployment* before)
    : configuration_(std::move(configuration)),
      snapshot_(*configuration_->snapshot),
      tls_(std::move(tls)),
      counters_(configuration_->counters_of(parts.shard.index())),
      retry_budget_(limits().retry_budget_percent_max, limits().retry_floor_per_second),
      health_(snapshot_, parts.shard.index()) {
  const std::size_t count = snapshot_.options().providers.size();
  tls_.providers.resize(count);
  upstreams_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto shared = before != nullptr ? find_upstream(*before, i) : nullptr;
    upstreams_.push_back(shared != nullptr ? std::move(shared) : make_upstream(parts, i));
  }
  tls_.providers.clear();  // who uses one has it
}

Deployment::~Deployment() {
  LEAT_CHECK(users_ == 0);
}

// That of a provider which was described in the same words, with limits that hold for both.
std::shared_ptr<Upstream> Deployment::find_upstream(const Deployment& before,
                                                    std::uint32_t index) const {
  const auto& ours = snapshot_.options().providers;
  const auto& theirs = before.snapshot_.options().providers;
  const auto found = std::ranges::find(theirs, ours[index].name, &Provider::name);
  if (found == theirs.end() || !is_same_way(*found, ours[index])) return nullptr;
  const Limits& then = before.limits();
  const bool has_same_limits =
      then.upstream_head_bytes_max == limits().upstream_head_bytes_max &&
      then.upstream_informational_max == limits().upstream_informational_max &&
      then.retry_budget_percent_max == limits().retry_budget_percent_max &&
      then.retry_floor_per_second == limits().retry_floor_per_second;
  const auto there = static_cast<std::size_t>(found - theirs.begin());
  const TlsMaterial* const a = configuration_->tls;
  const TlsMaterial* const b = before.configuration_->tls;
  const bool has_same_roots =
      (a == nullptr) == (b == nullptr) &&
      (a == nullptr || a->provider_roots_digests[index] == b->provider_roots_digests[there]);
  return has_same_limits && has_same_roots ? before.upstreams_[there] : nullptr;
}

std::shared_ptr<Upstream> Deployment::make_upstream(const DialParts& parts, std::uint32_t index) {
  const Provider& options = snapshot_.options().providers[index];
  std::unique_ptr<net::Dialer> dialer;
  if (options.format == ProviderFormat::kSimulated) {
    dialer = parts.simulated.new_dialer(options.simulated);
  } else {
    net::Origin origin;
    origin.host = options.base_url.host;
    origin.port = options.base_url.port;
    origin.tls = options.base_url.tls ? tls_.providers[index].get() : nullptr;
    origin.allow_private = options.allow_private;
    const net::ConnectLimits connect{milliseconds(options.dns_ms_max),
                                     milliseconds(options.connect_ms_max),
                                     milliseconds(options.tls_handshake_ms_max)};
    dialer = std::make_unique<net::TcpDialer>(parts.shard, parts.streams, *parts.resolver,
                                              std::move(origin), connect);
  }
  net::PoolLimits pool;
  pool.connections_max = options.connections_max;
  pool.protocol = pool_protocol(options.protocol);
  pool.scheme = options.base_url.tls ? "https" : "http";
  pool.idle_max = options.idle_connections_max;
  pool.warm = options.warm_connections;
  pool.idle_time = milliseconds(options.idle_ms_max);
  pool.head_bytes_max = limits().upstream_head_bytes_max;
  pool.informational_max = limits().upstream_informational_max;
  auto made = std::make_unique<net::UpstreamPool>(parts.shard, *dialer, pool);
  return std::make_shared<Upstream>(
      tls_.providers[index], std::move(dialer), std::move(made),
      policy::RetryBudget(limits().retry_budget_percent_max, limits().retry_floor_per_second),
      policy::AckDelay());
}

void Deployment::keep_keys(const Deployment& before, Instant now) {
  health_.keep_keys(before.health_, before.snapshot_, snapshot_, now);
  const policy::Catalogue& then = before.snapshot_.catalogue();
  own_key_states_.keep(before.own_key_states_, [&](policy::EndpointId id) {
    return snapshot_.catalogue().find_endpoint(then.endpoint(id).identity);
  });
}

void Deployment::retire(const Deployment& after) {
  for (const auto& each : upstreams_) {
    const auto& theirs = after.upstreams_;
    if (std::ranges::find(theirs, each) == theirs.end()) each->pool->drain();
  }
}

bool Deployment::is_idle() const {
  return users_ == 0 && std::ranges::all_of(upstreams_, [](const auto& each) {
           return each.use_count() > 1 || each->pool->open_count() == 0;
         });
}

}  // namespace leat::gateway
