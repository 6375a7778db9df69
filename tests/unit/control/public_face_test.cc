// SPDX-License-Identifier: Apache-2.0
// Goal: an embedder with C++20 and nothing but include/leat can fill the options in.
// Method: compiled with -std=c++20 and that one include path; status 0 if the defaults are there.
#include "leat/options.h"

int main() {
  leat::Options options;
  options.server.listen.push_back({.host = "127.0.0.1", .port = 0});
  options.providers.push_back({.name = "local", .format = leat::ProviderFormat::kSimulated});
  options.models.push_back({.id = "local/*", .endpoints = {{.provider = 0, .model = "*"}}});
  const bool is_as_promised = options.server.shards == 1 && options.limits.headers_max == 100 &&
                              options.auth_mode == leat::AuthMode::kKeys &&
                              options.models[0].is_pattern();
  return is_as_promised ? 0 : 1;
}
