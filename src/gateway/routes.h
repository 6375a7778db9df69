// SPDX-License-Identifier: Apache-2.0
// Routes: which requests there are. An exact match on the raw path, before any decoding, so that no
// trick with dots, slashes or percent signs reaches anything (threats-and-faults.md 3.4); the query
// is ignored. Every route that leads to a provider is in this table and passes the same admission.
#pragma once

#include <string_view>

#include "dialect/face.h"
#include "proto/http1_request.h"

namespace leat::gateway {

enum class Action : std::uint8_t {
  kChat,         // POST .../chat/completions
  kModels,       // GET .../models
  kNotFound,     // 404
  kWrongMethod,  // 405
};

struct Route {
  Action action = Action::kNotFound;
  dialect::Face face = dialect::Face::kOpenAi;
  const char* allow = "";  // with kWrongMethod: the method that there is
};

Route find_route(proto::Method method, std::string_view path);

}  // namespace leat::gateway
