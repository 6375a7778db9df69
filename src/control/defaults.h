// SPDX-License-Identifier: Apache-2.0
// What Leat does without a configuration file: one plain listener and the admin listener on
// loopback, the built-in simulated provider with some ways to fail, and every well-known provider
// whose key stands in the environment, passed through as `provider/model`. With a file none of this
// is added.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/surroundings.h"
#include "leat/options.h"

namespace leat::control {

// A provider that is known by the variable its users keep their key in.
struct KnownProvider {
  std::string_view name;
  std::string_view variable;
  std::string_view base_url;  // of its OpenAI-compatible endpoint
  std::string_view display_name;
  std::string_view author;  // another prefix its models are known by; empty: none
};
std::span<const KnownProvider> known_providers();

struct Defaults {
  Options options;
  // The client key that was made up, to be shown once; empty when LEAT_DEV_KEY gave it.
  std::string made_up_key;
  // What an operator should know: which providers were found, which variables were unusable.
  std::vector<std::string> notes;
};

// `random` becomes the client key if LEAT_DEV_KEY is not set.
Defaults default_options(const Surroundings& surroundings,
                         const std::array<std::uint8_t, 32>& random);

}  // namespace leat::control
