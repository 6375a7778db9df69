// SPDX-License-Identifier: Apache-2.0
// RouterMetadata: `openrouter_metadata`, what the router did for one request, told to a client that
// asked by header (openrouter-api.md 3, item 6). Written as one member of a whole answer or of the
// stream's last chunk. The members that @openrouter/sdk demands are always there; ours beside them
// (times, reasons, what was left out) it passes over.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "dialect/errors.h"
#include "dialect/parameters.h"
#include "proto/json_writer.h"

namespace leat::dialect {

// How the model was found.
enum class RoutingStrategy : std::uint8_t {
  kDirect,
  kAuto,
  kFree,
  kLatest,
  kAlias,
  kFallback,
  kPareto,
  kBodybuilder,
  kFusion,
};

// One attempt. Names are the catalogue's, the reason is a static text; all views.
struct RouterAttempt {
  static constexpr std::int64_t kUnknown = -1;
  std::string_view model;
  std::string_view provider;
  int status = 0;                          // the provider's, or 0: it gave none
  std::int64_t started_ms = 0;             // after the request came in
  std::int64_t first_token_ms = kUnknown;  // after the attempt's start
  std::int64_t duration_ms = kUnknown;
  std::string_view reason;  // why it failed; empty: it did not
  bool continues = false;   // it was to carry on the answer of one before it, which broke
};

// An endpoint that could be asked, in the order of the plan.
struct RouterEndpoint {
  std::string_view model;
  std::string_view provider;
  bool selected = false;
};

struct RouterMetadata {
  static constexpr std::int64_t kUnknown = -1;
  std::string_view requested;  // as the catalogue spells it
  RoutingStrategy strategy = RoutingStrategy::kDirect;
  std::string_view region;  // where the gateway stands; empty: null
  bool is_byok = false;
  bool is_sticky = false;
  std::int64_t generation_time_ms = kUnknown;  // from the last attempt's start to its end
  std::span<const RouterAttempt> attempts;     // the last one answered
  std::span<const RouterEndpoint> available;
  std::int64_t endpoints_total = 0;  // with the excluded ones
  std::span<const Exclusion> exclusions;
  ParameterSet dropped_parameters;  // those of the request that the endpoint lacks
};

// Lists are cut at these; `endpoints.total` still counts all.
inline constexpr std::size_t kToldEndpointsMax = 32;
inline constexpr std::size_t kToldAttemptsMax = 16;
// Enough room for any, names being cut at kListedNameMax. All but hostile names fit.
inline constexpr std::size_t kMetadataBytesMax = 32U << 10;

// The object alone.
void write_router_metadata(const RouterMetadata& metadata, proto::JsonWriter& out);

}  // namespace leat::dialect
