// SPDX-License-Identifier: Apache-2.0
#include "gateway/own_keys.h"

#include <algorithm>

namespace leat::gateway {

bool OwnKey::allows_key(const KeyDigest& key) const {
  return !keys || std::ranges::find(*keys, key) != keys->end();
}

std::span<const policy::OwnKeyRule> own_key_rules(const OwnKeys& own_keys, const KeyDigest& key,
                                                  const policy::Catalogue& catalogue,
                                                  std::span<const policy::ModelRef> models,
                                                  std::span<policy::OwnKeyRule> rules) {
  std::size_t count = 0;
  for (const OwnKey& own : own_keys) {
    if (count == rules.size()) break;
    if (!own.allows_key(key)) continue;
    policy::OwnKeyRule rule{.id = own.id,
                            .provider = own.provider,
                            .is_fallback = own.is_fallback,
                            .is_required = own.is_required,
                            .is_readable = own.secret != nullptr};
    for (std::size_t i = 0; i < models.size(); ++i) {
      const bool is_allowed = policy::allows_model(own.access, catalogue.model(models[i].model).id);
      rule.models |= std::uint32_t{is_allowed} << i;
    }
    if (rule.models != 0) rules[count++] = rule;
  }
  return rules.first(count);
}

}  // namespace leat::gateway
