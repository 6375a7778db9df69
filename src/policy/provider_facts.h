// SPDX-License-Identifier: Apache-2.0
// ProviderFacts: how the well-known providers stray from OpenAI's format, by the host of their base
// URL, so that nobody has to write it down (provider-formats.md 1b). What a configuration or a
// catalogue states of a provider goes before it, each field for itself.
#pragma once

#include <string_view>

#include "policy/terms.h"

namespace leat::policy {

// Words of Provider::reasoning_in and reasoning_out beside the names of fields.
inline constexpr std::string_view kReasoningNowhere = "none";  // it is left out
inline constexpr std::string_view kReasoningAsSent =
    "as_sent";  // it crosses as the client spelt it

struct ProviderFacts {
  std::string_view host;  // lower case
  QuirkSet quirks;
  ParameterSet rejects;
  std::string_view reasoning_in;
  std::string_view reasoning_out;
};

// Of the provider at that host (lower case); with nothing in it where none is known.
const ProviderFacts& facts_at(std::string_view host);

}  // namespace leat::policy
