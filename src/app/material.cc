// SPDX-License-Identifier: Apache-2.0
#include "app/material.h"

#include <algorithm>

#include "control/config.h"
#include "control/secret_text.h"

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
  return load_tls(options, surroundings);
}

std::string Material::load_bearers(const Options& options,
                                   const control::Surroundings& surroundings) {
  for (const Provider& provider : options.providers) {
    bearers_.emplace_back();
    if (provider.api_key.kind == SecretSource::Kind::kNone) continue;
    control::SecretText secret;
    if (const auto read = secret.read(provider.api_key, surroundings); !read) {
      return "provider " + provider.name + ": " + read.error();
    }
    bearers_.back() = arena_.add(secret.view());
  }
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
    std::string roots;
    if (provider.format != ProviderFormat::kSimulated && provider.base_url.tls) {
      const std::string path =
          provider.ca_file.empty() ? control::kSystemRootsFile : provider.ca_file;
      if (std::string fault = read_pem(path, surroundings, roots); !fault.empty()) return fault;
    }
    tls_.provider_roots_pem.push_back(std::move(roots));
  }
  return {};
}

}  // namespace leat::app
