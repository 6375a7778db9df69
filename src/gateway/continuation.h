// SPDX-License-Identifier: Apache-2.0
// Continuation: what an exchange keeps so that its stream can be carried on by another endpoint if
// it breaks after its first content. There is one only where the model's operator allowed it and
// the request is of the kind (dialect/continuation.h): it costs nobody else anything. Belongs to
// its Exchange, which decides (exchange_continuation.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dialect/continuation.h"
#include "dialect/errors.h"
#include "dialect/openai_error.h"
#include "gateway/metering.h"
#include "policy/catalogue.h"

namespace leat::gateway {

struct Continuation {
  enum class Stage : std::uint8_t {
    kKeeping,  // the text that goes to the client is kept
    kOpen,     // the stream broke: attempts are made to have it carried on
    kDone,     // another one carries it on; there is no third
  };

  explicit Continuation(std::size_t bytes_max) : so_far(bytes_max) {}

  Stage stage = Stage::kKeeping;
  std::optional<dialect::TextSoFar> so_far;  // none once it is done
  std::size_t bytes_charged = 0;             // of it, to the key

  // ---- Of the break, for the mark at the seam, and for the client if nobody carries it on
  std::string_view provider;  // whose stream broke; of the catalogue
  dialect::ErrorKind kind = dialect::ErrorKind::kUpstreamClosed;
  dialect::ProviderFailure failure;
  bool has_failure_detail = false;  // the provider told `failure`
  // What is charged for of it, and whose it was.
  Metered metered;
  policy::EndpointId endpoint = policy::kNoId;
};

}  // namespace leat::gateway
