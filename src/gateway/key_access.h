// SPDX-License-Identifier: Apache-2.0
// KeyAccess: what a key allows at most, resolved against a catalogue: the ceilings that planning
// reads, and the models. Made by control, shared by shards, immutable. Names that the catalogue
// does not know stay in their lists and match nobody, so a provider that went away does not open
// what was closed.
#pragma once

#include <memory>
#include <vector>

#include "policy/account.h"
#include "policy/catalogue.h"
#include "policy/route_request.h"

namespace leat::gateway {

class KeyAccess {
 public:
  KeyAccess(policy::Access access, const policy::Catalogue& catalogue);
  KeyAccess(const KeyAccess&) = delete;
  KeyAccess& operator=(const KeyAccess&) = delete;

  const policy::Access& stated() const { return stated_; }
  // Holds as long as this object.
  const policy::KeyCeilings& ceilings() const { return ceilings_; }
  bool allows_model(std::string_view id) const { return policy::allows_model(stated_, id); }

 private:
  policy::Access stated_;
  std::vector<policy::SlugMatch> only_;
  std::vector<policy::SlugMatch> ignore_;
  policy::KeyCeilings ceilings_;
};

// Null if it allows everything.
std::shared_ptr<const KeyAccess> resolve_access(const policy::Access& access,
                                                const policy::Catalogue& catalogue);

}  // namespace leat::gateway
