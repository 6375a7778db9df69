// SPDX-License-Identifier: Apache-2.0
// ListingSource: who answers the routes that list the catalogue. Made by control for one catalogue
// and given to the gateways; immutable, so that all shards may ask it at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "dialect/errors.h"
#include "policy/health_board.h"

namespace leat::gateway {

enum class ListingKind : std::uint8_t {
  kModels,          // GET .../models
  kModelCount,      // GET .../models/count
  kModel,           // GET .../model/{author}/{slug}
  kModelEndpoints,  // GET .../models/{author}/{slug}/endpoints
  kOpenAiModel,     // GET .../models/{id}: OpenAI's model object, whatever the face
  kZdrEndpoints,    // GET .../endpoints/zdr
  kProviders,       // GET .../providers
};

struct ListingRequest {
  ListingKind kind = ListingKind::kModels;
  dialect::Face face = dialect::Face::kOpenRouter;
  std::string_view reference;  // "author/slug" with variants, percent-encoded as in the path
  std::string_view query;      // behind the question mark, percent-encoded; OpenAI's face has none
  policy::HealthView health;   // these by EndpointId; empty: nothing is known
  std::span<const policy::HealthReport> reports;
  Instant now{0};
};

struct ListingAnswer {
  // 200, or what was wrong: kModelNotFound, or kInvalidRequest with the parameter and a message.
  bool is_good = false;
  std::string body;  // of a good one: JSON
  dialect::ErrorKind kind = dialect::ErrorKind::kModelNotFound;
  std::string message;  // empty: the kind's own
  std::string param;
};

class ListingSource {
 public:
  virtual ~ListingSource() = default;
  virtual ListingAnswer answer(const ListingRequest& request) const = 0;
  // `GET /models` without a query on one face: made beforehand. Lives as long as the source.
  virtual std::string_view all_models(dialect::Face face) const = 0;
};

}  // namespace leat::gateway
