// SPDX-License-Identifier: Apache-2.0
// Routes: which requests there are. Found by the raw path, before any decoding, so that no trick
// with dots, slashes or percent signs reaches anything (threats-and-faults.md 3.4); the query is
// not looked at. Every path stands whole in the table but those that name a model: what stands in
// the model's place is looked up in the catalogue and nowhere else, so it is that of a model or
// leads to a 404. Every route that leads to a provider is in this table and passes the same
// admission.
#pragma once

#include <cstddef>
#include <string_view>

#include "dialect/face.h"
#include "gateway/account_question.h"
#include "gateway/listing_source.h"
#include "gateway/request_kind.h"
#include "proto/http1_request.h"

namespace leat::gateway {

enum class Action : std::uint8_t {
  kInference,    // POST of a RequestKind
  kListing,      // GET of what there is: see ListingKind
  kAccount,      // GET of what the key that asks has: see AccountTopic
  kNotFound,     // 404
  kWrongMethod,  // 405
};

struct Route {
  Action action = Action::kNotFound;
  dialect::Face face = dialect::Face::kOpenAi;
  ListingKind listing = ListingKind::kModels;  // with kListing
  RequestKind request = RequestKind::kChat;    // with kInference
  AccountTopic topic = AccountTopic::kKey;     // with kAccount
  const char* allow = "";                      // with kWrongMethod: the method that there is
  std::string_view form;                       // the path, `{id}` for a model; empty: none of ours
  // Of the path, before and behind the model that it names; both 0: it names none.
  std::size_t before_model = 0;
  std::size_t behind_model = 0;

  // The model that a path names, as it stands there. REQUIRES: the path that the route is of.
  std::string_view model_in(std::string_view path) const {
    if (before_model == 0) return {};
    return path.substr(before_model, path.size() - before_model - behind_model);
  }
};

Route find_route(proto::Method method, std::string_view path);

}  // namespace leat::gateway
