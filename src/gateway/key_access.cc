// SPDX-License-Identifier: Apache-2.0
#include "gateway/key_access.h"

namespace leat::gateway {

KeyAccess::KeyAccess(policy::Access access, const policy::Catalogue& catalogue)
    : stated_(std::move(access)) {
  const KeyRouting& routing = stated_.routing;
  for (const std::string& name : routing.only) only_.push_back(catalogue.find_slug(name));
  for (const std::string& name : routing.ignore) ignore_.push_back(catalogue.find_slug(name));
  ceilings_.has_only = routing.has_only;
  ceilings_.only = only_;
  ceilings_.ignore = ignore_;
  ceilings_.zdr = routing.zdr;
  ceilings_.deny_data_collection = routing.deny_data_collection;
  for (const std::string& region : routing.regions) {
    ceilings_.regions |= catalogue.region_bit(region);
  }
  // Regions where nobody is leave nothing, not everything.
  if (!routing.regions.empty() && ceilings_.regions == 0) {
    ceilings_.has_only = true;
    ceilings_.only = {};
  }
}

std::shared_ptr<const KeyAccess> resolve_access(const policy::Access& access,
                                                const policy::Catalogue& catalogue) {
  return is_open(access) ? nullptr : std::make_shared<const KeyAccess>(access, catalogue);
}

}  // namespace leat::gateway
