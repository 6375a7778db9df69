// SPDX-License-Identifier: Apache-2.0
// From what the catalogue knows of an endpoint to how a request is spelled for it: the one place
// where quirks, which are data (provider-formats.md 1b), become a dialect::EndpointShape. Pure.
#pragma once

#include <string_view>

#include "dialect/continuation.h"
#include "dialect/openai_request.h"
#include "gateway/request_kind.h"
#include "policy/catalogue.h"

namespace leat::gateway {

// `upstream_model`: the endpoint's own name for the model. `dropped`: parameters of the request
// that it lacks. What only chats know is left out for the other kinds. The views live as long as
// the catalogue and `upstream_model`.
dialect::EndpointShape shape_for(const policy::Catalogue& catalogue,
                                 const policy::Endpoint& endpoint, std::string_view upstream_model,
                                 policy::ParameterSet dropped, RequestKind kind);

// How the endpoint is asked to carry a broken answer on; kNothing unless its provider is known to.
dialect::ContinuesBy continues_by(const policy::Catalogue& catalogue,
                                  const policy::Endpoint& endpoint);

}  // namespace leat::gateway
