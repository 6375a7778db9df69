// SPDX-License-Identifier: Apache-2.0
// The configuration that the project's specification promises to work, line by line, and the
// surroundings in which it does; a way to change one line of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "certificates.h"
#include "control/config.h"
#include "fake_surroundings.h"

namespace leat::control {

// SHA-256 of "sk-dev", by coreutils' sha256sum.
inline constexpr std::string_view kDevDigest =
    "a6a673527e201c116e5feaaebc3baec804696c211b9c0b4f2426f50bdead77d1";

inline std::vector<std::string> sample_lines() {
  return {
      "[server]",
      "listen = [\"127.0.0.1:8080\"]             # \"tls://0.0.0.0:8443\" for TLS; several allowed",
      "shards = 1                               # 0 = one per available core",
      "pin = [0]                                # optional: a core for each shard",
      "[server.tls]",
      "certificate = \"cert.pem\"",
      "key = \"key.pem\"",
      "[admin]",
      "listen = \"127.0.0.1:8081\"                # /healthz /readyz /metrics",
      "[auth]",
      "mode = \"keys\"                            # \"off\" is allowed on loopback listeners only",
      "[[keys]]",
      "name = \"dev\"",
      "sha256 = \"" + std::string(kDevDigest) + "\"",
      "[providers.mock]",
      "format = \"openai\"",
      "base_url = \"https://localhost:9443/v1\"",
      "ca_file = \"ca.pem\"                       # optional, default: the system's",
      "api_key = { env = \"MOCK_KEY\" }           # or { file = \"...\" }; optional",
      "allow_private = true",
      "[limits]",
      "streams_per_key_max = 20000",
      "[[models]]",
      "id = \"openai/gpt-4o-mini\"                # what clients ask for",
      "endpoints = [{ provider = \"mock\", model = \"gpt-4o-mini\" }]   # tried in this order",
  };
}

inline FakeSurroundings made_surroundings() {
  FakeSurroundings surroundings;
  surroundings.variables = {{"MOCK_KEY", "sk-mock"}, {"EMPTY", ""}, {"BLANK", "sk mock"}};
  const std::string hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
  surroundings.variables.insert({{"KEY31", std::string(31, 'k')},
                                 {"KEY32", std::string(32, 'k')},
                                 {"HEX63", hex.substr(1)},
                                 {"HEX64", hex},
                                 {"HEX66", hex + "00"},
                                 {"NOT_HEX", "g" + hex.substr(1)},
                                 {"ZEROS", std::string(64, '0')}});
  const CertificatePair pair = make_certificate(-1, 1);
  surroundings.files = {
      {kSystemRootsFile, pair.certificate_pem},
      {"/etc/leat/ca.pem", pair.certificate_pem},
      {"/etc/leat/cert.pem", pair.certificate_pem},
      {"/etc/leat/key.pem", pair.key_pem},
      {"/etc/leat/api.key", "sk-from-file-0123456789\n"},
      {"/etc/leat/short.key", "0123456789abcde\n"},
      {"/etc/leat/empty.key", "\n"},
  };
  return surroundings;
}

// Made once: a key pair takes longer than a parse.
inline const FakeSurroundings& sample_surroundings() {
  static const FakeSurroundings surroundings = made_surroundings();
  return surroundings;
}

inline constexpr const char* kSampleFile = "/etc/leat/leat.toml";

inline std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// A text with one setting changed, and the line (from 1) on which it stands.
struct Changed {
  std::string text;
  std::uint32_t line = 0;
};

// Sets `key = value` in the first section with that heading, in place of the line that set it. A
// heading that is not there is added at the end, with its setting.
inline Changed changed(std::string_view heading, std::string_view key, std::string_view value) {
  std::vector<std::string> lines = sample_lines();
  const std::string setting = std::string(key) + " = " + std::string(value);
  std::size_t at = 0;
  while (at < lines.size() && lines[at] != heading) ++at;
  if (at == lines.size()) {
    lines.push_back(std::string(heading));
    lines.push_back(setting);
    return {text_of(lines), static_cast<std::uint32_t>(lines.size())};
  }
  for (std::size_t i = at + 1; i < lines.size() && !lines[i].starts_with('['); ++i) {
    if (!lines[i].starts_with(std::string(key) + " =")) continue;
    lines[i] = setting;
    return {text_of(lines), static_cast<std::uint32_t>(i + 1)};
  }
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at) + 1, setting);
  return {text_of(lines), static_cast<std::uint32_t>(at + 2)};
}

}  // namespace leat::control
