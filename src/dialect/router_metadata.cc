// SPDX-License-Identifier: Apache-2.0
#include "dialect/router_metadata.h"

#include <algorithm>

namespace leat::dialect {

namespace {

// In the order of RoutingStrategy.
constexpr std::string_view kStrategies[] = {"direct",   "auto",   "free",        "latest", "alias",
                                            "fallback", "pareto", "bodybuilder", "fusion"};
static_assert(std::size(kStrategies) == static_cast<std::size_t>(RoutingStrategy::kFusion) + 1);

void write_name(std::string_view key, std::string_view name, proto::JsonWriter& out) {
  out.raw(key);
  out.string(name.substr(0, kListedNameMax));
}

void write_count(std::string_view key, std::int64_t count, proto::JsonWriter& out) {
  out.raw(key);
  out.integer(count);
}

void write_time(std::string_view key, std::int64_t milliseconds, proto::JsonWriter& out) {
  if (milliseconds != RouterAttempt::kUnknown) write_count(key, milliseconds, out);
}

void write_attempts(std::span<const RouterAttempt> attempts, proto::JsonWriter& out) {
  out.raw(",\"attempts\":[");
  // The last ones: among them is the one that answered.
  const std::size_t told = std::min(attempts.size(), kToldAttemptsMax);
  bool first = true;
  for (const RouterAttempt& attempt : attempts.last(told)) {
    if (!first) out.raw(",");
    first = false;
    write_name("{\"model\":", attempt.model, out);
    write_name(",\"provider\":", attempt.provider, out);
    write_count(",\"status\":", attempt.status, out);
    write_count(",\"started_ms\":", attempt.started_ms, out);
    write_time(",\"first_token_ms\":", attempt.first_token_ms, out);
    write_time(",\"duration_ms\":", attempt.duration_ms, out);
    if (!attempt.reason.empty()) write_name(",\"reason\":", attempt.reason, out);
    if (attempt.continues) out.raw(",\"continues\":true");
    out.raw("}");
  }
  out.raw("]");
}

void write_endpoints(const RouterMetadata& metadata, proto::JsonWriter& out) {
  out.raw(",\"endpoints\":{\"available\":[");
  const std::size_t told = std::min(metadata.available.size(), kToldEndpointsMax);
  for (std::size_t i = 0; i < told; ++i) {
    const RouterEndpoint& endpoint = metadata.available[i];
    write_name(i == 0 ? "{\"model\":" : ",{\"model\":", endpoint.model, out);
    write_name(",\"provider\":", endpoint.provider, out);
    out.raw(endpoint.selected ? ",\"selected\":true}" : ",\"selected\":false}");
  }
  write_count("],\"total\":", metadata.endpoints_total, out);
  out.raw("}");
}

void write_excluded(std::span<const Exclusion> exclusions, proto::JsonWriter& out) {
  if (exclusions.empty()) return;
  out.raw(",\"excluded\":[");
  for (std::size_t i = 0; i < std::min(exclusions.size(), kToldEndpointsMax); ++i) {
    write_name(i == 0 ? "{\"model\":" : ",{\"model\":", exclusions[i].model, out);
    write_name(",\"provider\":", exclusions[i].provider, out);
    write_name(",\"reason\":", exclusions[i].reason, out);
    out.raw("}");
  }
  out.raw("]");
}

void write_dropped(ParameterSet dropped, proto::JsonWriter& out) {
  if (dropped.empty()) return;
  out.raw(",\"dropped_parameters\":[");
  bool first = true;
  for (std::size_t i = 0; i < kParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    if (!dropped.has(parameter)) continue;
    if (!first) out.raw(",");
    first = false;
    out.string(parameter_name(parameter));
  }
  out.raw("]");
}

// A line for people: "available=3, selected=OpenAI".
void write_summary(const RouterMetadata& metadata, proto::JsonWriter& out) {
  write_count(",\"summary\":\"available=", static_cast<std::int64_t>(metadata.available.size()),
              out);
  const auto selected = std::ranges::find_if(
      metadata.available, [](const RouterEndpoint& endpoint) { return endpoint.selected; });
  if (selected != metadata.available.end()) {
    out.raw(", selected=");
    out.escaped(selected->provider.substr(0, kListedNameMax));
  }
  if (metadata.is_sticky) out.raw(", sticky");
  out.raw("\"");
}

}  // namespace

void write_router_metadata(const RouterMetadata& metadata, proto::JsonWriter& out) {
  write_name("{\"requested\":", metadata.requested, out);
  write_name(",\"strategy\":", kStrategies[static_cast<std::size_t>(metadata.strategy)], out);
  out.raw(",\"region\":");
  if (metadata.region.empty()) {
    out.raw("null");
  } else {
    out.string(metadata.region.substr(0, kListedNameMax));
  }
  out.raw(metadata.is_byok ? ",\"is_byok\":true" : ",\"is_byok\":false");
  write_count(",\"attempt\":", static_cast<std::int64_t>(metadata.attempts.size()), out);
  write_attempts(metadata.attempts, out);
  write_endpoints(metadata, out);
  write_time(",\"generation_time\":", metadata.generation_time_ms, out);
  write_excluded(metadata.exclusions, out);
  write_dropped(metadata.dropped_parameters, out);
  write_summary(metadata, out);
  out.raw("}");
}

}  // namespace leat::dialect
