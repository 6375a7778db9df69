// SPDX-License-Identifier: Apache-2.0
// Face: which of the two shapes of the one API a request came in by (design.md, "One request's
// life").
#pragma once

#include <cstdint>

namespace leat::dialect {

enum class Face : std::uint8_t {
  kOpenRouter,  // /api/v1/…: events normalised to OpenRouter's shape
  kOpenAi,      // /v1/…: the provider's bytes as they are
};

}  // namespace leat::dialect
