// SPDX-License-Identifier: Apache-2.0
// Material: what is read from files and the environment at start and kept for as long as Leat runs:
// provider keys, in locked memory, and certificates.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/shard_thread.h"
#include "control/surroundings.h"
#include "leat/options.h"
#include "tls/secret.h"

namespace leat::app {

class Material {
 public:
  // What is wrong, naming file or variable and never a value; or empty.
  std::string load(const Options& options, const control::Surroundings& surroundings);

  // By provider, one for each of its keys. Views of the locked arena.
  const std::vector<std::vector<std::string_view>>& bearers() const { return bearers_; }
  const TlsMaterial& tls() const { return tls_; }

 private:
  std::string load_bearers(const Options& options, const control::Surroundings& surroundings);
  std::string load_tls(const Options& options, const control::Surroundings& surroundings);

  std::string load_roots(const std::string& path, const control::Surroundings& surroundings);

  tls::SecretArena arena_;
  std::vector<std::vector<std::string_view>> bearers_;
  std::map<std::string, std::unique_ptr<const tls::TrustedRoots>> roots_;  // by path
  TlsMaterial tls_;
};

}  // namespace leat::app
