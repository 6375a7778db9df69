// SPDX-License-Identifier: Apache-2.0
#include "control/catalogue_listing.h"

#include <optional>
#include <string>
#include <utility>

#include "control/percent_text.h"

namespace leat::control {
namespace {

using gateway::ListingAnswer;
using gateway::ListingKind;
using gateway::ListingRequest;

ListingAnswer good(std::string body) {
  return {.is_good = true, .body = std::move(body)};
}

ListingAnswer good_or_unknown(std::optional<std::string> body) {
  if (body) return good(std::move(*body));
  return {.kind = dialect::ErrorKind::kModelNotFound, .param = "model"};
}

}  // namespace

CatalogueListing::CatalogueListing(std::shared_ptr<const gateway::RoutedCatalogue> routed,
                                   std::int64_t created_unix_s)
    : routed_(std::move(routed)), listing_(routed_->catalogue, created_unix_s) {}

std::string_view CatalogueListing::all_models(dialect::Face face) const {
  return face == dialect::Face::kOpenAi ? listing_.openai_models() : listing_.models();
}

ListingAnswer CatalogueListing::answer(const ListingRequest& request) const {
  const KnownHealth health{request.health, request.reports, request.now};
  // A model's name, and only that: nothing but the catalogue is asked for it.
  const std::string reference = percent_decoded(request.reference);
  switch (request.kind) {
    case ListingKind::kModels:
    case ListingKind::kModelCount:
      return list(request);
    case ListingKind::kModel:
      return good_or_unknown(listing_.model(reference));
    case ListingKind::kModelEndpoints:
      return good_or_unknown(listing_.endpoints(reference, health));
    case ListingKind::kOpenAiModel:
      return good_or_unknown(listing_.openai_model(reference));
    case ListingKind::kZdrEndpoints:
      return good(listing_.zdr_endpoints(health));
    case ListingKind::kProviders:
      return good(listing_.providers());
  }
  return {};
}

ListingAnswer CatalogueListing::list(const ListingRequest& request) const {
  // OpenAI's list has no parameters; what is sent with it is not looked at.
  if (request.face == dialect::Face::kOpenAi) return good(listing_.openai_models());
  auto query = parse_listing_query(request.query);
  if (!query) {
    return {.kind = dialect::ErrorKind::kInvalidRequest,
            .message = std::move(query.error().message),
            .param = std::move(query.error().param)};
  }
  if (request.kind == ListingKind::kModelCount) return good(listing_.count(*query));
  std::string path = "/api/v1/models";
  if (const std::string rest = unpaged_query(request.query); !rest.empty()) path += "?" + rest;
  return good(listing_.models(*query, path));
}

}  // namespace leat::control
