// SPDX-License-Identifier: Apache-2.0
// What differs between two sound configurations, setting by setting, as those who wrote them know
// them: for `leat diff`, `leat reload` and the management API. Driven by the table of settings
// (option_table.h), which also says what can change while Leat runs. Pure; off the shards.
//
// Providers, keys and models are matched by name, not by place. What follows from another setting
// (a model's times from [limits], say) is told once, where it was written. Secrets are told by
// where they are read from; of what stands there only client keys are known, by their digests.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/json_tree.h"
#include "gateway/routed_catalogue.h"
#include "leat/options.h"

namespace leat::control {

struct ConfigChange {
  enum class Kind : std::uint8_t { kAdded, kRemoved, kChanged };
  Kind kind = Kind::kChanged;
  // As the file would write it: "limits.body_bytes_max", "models.\"acme/one\".request_ms_max",
  // "keys.batch".
  std::string what;
  // As the file would write them, cut where they are very long; "none": not written. Empty for what
  // came or went as a whole.
  std::string before;
  std::string after;
  bool is_fixed = false;  // cannot change while Leat runs

  bool operator==(const ConfigChange&) const = default;
};

// In the order of the reference page. Both catalogues are given, or neither: then what they know of
// models and providers is not compared, but what Options say of them.
std::vector<ConfigChange> config_changes(
    const Options& running, const Options& next,
    const gateway::RoutedCatalogue* running_catalogue = nullptr,
    const gateway::RoutedCatalogue* next_catalogue = nullptr);

// A line each, `~ limits.body_bytes_max: 1 -> 2`, `+ keys.batch`, `- providers.acme`; those that
// are fixed say so. "nothing changes\n" for none. Control bytes are left out: it is for terminals.
std::string changes_text(std::span<const ConfigChange> changes);

// An array of {"what","kind":"added|removed|changed","before","after","live":bool}.
std::string changes_json(std::span<const ConfigChange> changes);
// The same read back; members that are missing are taken as empty.
std::vector<ConfigChange> changes_of(const JsonValue& array);

}  // namespace leat::control
