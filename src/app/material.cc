// SPDX-License-Identifier: Apache-2.0
#include "app/material.h"

#include <string.h>

#include <algorithm>
#include <array>

#include "control/account_secrets.h"
#include "control/client_key.h"
#include "control/config.h"
#include "control/secret_text.h"
#include "tls/digest.h"

namespace leat::app {

namespace {

constexpr std::size_t kPemBytesMax = 4 * 1024 * 1024;

std::string read_pem(const std::string& path, const control::Surroundings& surroundings,
                     std::string& to) {
  to.resize(kPemBytesMax);
  const auto size = surroundings.read_file(path, to);
  if (!size) {
    to.clear();
    return "cannot read " + path + ": " + size.error().what;
  }
  to.resize(*size);
  to.shrink_to_fit();
  return {};
}

}  // namespace

std::string Material::load(const Options& options, const control::Surroundings& surroundings) {
  if (std::string fault = load_bearers(options, surroundings); !fault.empty()) return fault;
  if (std::string fault = load_accounts(options, surroundings); !fault.empty()) return fault;
  if (std::string fault = load_trace(options, surroundings); !fault.empty()) return fault;
  return load_tls(options, surroundings);
}

std::string Material::load_bearers(const Options& options,
                                   const control::Surroundings& surroundings) {
  for (const Provider& provider : options.providers) {
    bearers_.emplace_back();
    for (const SecretSource& source : provider.api_keys) {
      control::SecretText secret;
      if (const auto read = secret.read(source, surroundings); !read) {
        return "provider " + provider.name + ": " + read.error();
      }
      bearers_.back().push_back(arena_.add(secret.view()));
    }
  }
  return {};
}

std::string Material::load_accounts(const Options& options,
                                    const control::Surroundings& surroundings) {
  control::SecretText secret;
  if (const auto& source = options.admin.operator_key; source.kind != SecretSource::Kind::kNone) {
    if (const auto read = secret.read(source, surroundings); !read) {
      return "admin.operator_key: " + read.error();
    }
    const std::string fault = control::operator_key_fault(secret.view());
    if (!fault.empty()) return "admin.operator_key " + fault;
    accounts_.operator_key = control::digest_of(secret.view());
  }
  const auto& source = options.accounts.master_key;
  if (source.kind == SecretSource::Kind::kNone) return {};
  if (const auto read = secret.read(source, surroundings); !read) {
    return "accounts.master_key: " + read.error();
  }
  const std::string fault = control::master_key_fault(secret.view());
  if (!fault.empty()) return "accounts.master_key " + fault;
  std::array<std::uint8_t, tls::kAeadKeyBytes> key;
  const bool is_key = control::parse_master_key(secret.view(), key);
  LEAT_CHECK(is_key);
  const std::string_view kept = arena_.add({reinterpret_cast<const char*>(key.data()), key.size()});
  explicit_bzero(key.data(), key.size());
  accounts_.master.emplace(reinterpret_cast<const std::uint8_t*>(kept.data()), key.size());
  return {};
}

std::string Material::load_trace(const Options& options,
                                 const control::Surroundings& surroundings) {
  const TraceSettings& trace = options.trace;
  if (!trace.enabled) return {};
  if (trace.secret.kind != SecretSource::Kind::kNone) {
    control::SecretText secret;
    if (const auto read = secret.read(trace.secret, surroundings); !read) {
      return "trace.secret: " + read.error();
    }
    trace_secret_ = arena_.add(secret.view());
  }
  if (!trace.endpoint.tls) return {};
  const std::string path = trace.ca_file.empty() ? control::kSystemRootsFile : trace.ca_file;
  if (std::string fault = load_roots(path, surroundings); !fault.empty()) return fault;
  trace_roots_ = roots_.at(path).roots.get();
  return {};
}

std::string Material::load_tls(const Options& options, const control::Surroundings& surroundings) {
  const auto& listeners = options.server.listen;
  if (std::any_of(listeners.begin(), listeners.end(), [](const Listener& l) { return l.tls; })) {
    for (const auto& [path, to] :
         {std::pair(&options.server.tls_certificate, &tls_.certificate_pem),
          std::pair(&options.server.tls_key, &tls_.key_pem)}) {
      if (std::string fault = read_pem(*path, surroundings, *to); !fault.empty()) return fault;
    }
  }
  for (const Provider& provider : options.providers) {
    tls_.provider_roots.push_back(nullptr);
    tls_.provider_roots_digests.emplace_back();
    if (provider.format == ProviderFormat::kSimulated || !provider.base_url.tls) continue;
    const std::string path =
        provider.ca_file.empty() ? control::kSystemRootsFile : provider.ca_file;
    if (std::string fault = load_roots(path, surroundings); !fault.empty()) return fault;
    tls_.provider_roots.back() = roots_.at(path).roots.get();
    tls_.provider_roots_digests.back() = roots_.at(path).digest;
  }
  return {};
}

std::string Material::load_roots(const std::string& path,
                                 const control::Surroundings& surroundings) {
  if (roots_.contains(path)) return {};
  std::string pem;
  if (std::string fault = read_pem(path, surroundings, pem); !fault.empty()) return fault;
  auto roots = tls::TrustedRoots::read(pem);
  if (!roots) return path + ": " + roots.error().what;
  roots_.emplace(path, Roots{std::move(*roots), tls::sha256(pem)});
  return {};
}

}  // namespace leat::app
