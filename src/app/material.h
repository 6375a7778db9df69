// SPDX-License-Identifier: Apache-2.0
// Material: what is read from files and the environment for a configuration, and kept with it:
// provider keys and the accounts' master key, in locked memory, and certificates.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/surroundings.h"
#include "gateway/configuration.h"
#include "gateway/key_table.h"
#include "leat/options.h"
#include "tls/aead.h"
#include "tls/secret.h"

namespace leat::app {

// Who may manage the accounts with a key of its own, and what seals their provider keys.
struct AccountSecrets {
  std::optional<gateway::KeyDigest> operator_key;
  std::optional<tls::AeadKey> master;  // in the arena
};

class Material {
 public:
  // What is wrong, naming file or variable and never a value; or empty.
  std::string load(const Options& options, const control::Surroundings& surroundings);

  // By provider, one for each of its keys. Views of the locked arena.
  const std::vector<std::vector<std::string_view>>& bearers() const { return bearers_; }
  const gateway::TlsMaterial& tls() const { return tls_; }
  const AccountSecrets& accounts() const { return accounts_; }
  // Of the collector of traces: who may vouch for it, null where that is not asked; and what it is
  // shown, a view of the locked arena, empty for nothing.
  const tls::TrustedRoots* trace_roots() const { return trace_roots_; }
  std::string_view trace_secret() const { return trace_secret_; }
  // False: a key may be written to swap.
  bool is_locked() const { return arena_.is_locked(); }

 private:
  std::string load_bearers(const Options& options, const control::Surroundings& surroundings);
  std::string load_tls(const Options& options, const control::Surroundings& surroundings);
  std::string load_trace(const Options& options, const control::Surroundings& surroundings);
  std::string load_accounts(const Options& options, const control::Surroundings& surroundings);

  std::string load_roots(const std::string& path, const control::Surroundings& surroundings);

  tls::SecretArena arena_;
  std::vector<std::vector<std::string_view>> bearers_;
  struct Roots {
    std::unique_ptr<const tls::TrustedRoots> roots;
    std::array<std::uint8_t, 32> digest{};
  };
  std::map<std::string, Roots> roots_;  // by path
  gateway::TlsMaterial tls_;
  AccountSecrets accounts_;
  const tls::TrustedRoots* trace_roots_ = nullptr;
  std::string_view trace_secret_;
};

}  // namespace leat::app
