// SPDX-License-Identifier: Apache-2.0
#include "control/config.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "control/client_key.h"
#include "control/config_sections.h"
#include "control/secret_text.h"
#include "control/settings_reader.h"

namespace leat::control {
namespace {

// The system's bundle of authorities has 220 KiB.
constexpr std::size_t kPemBytesMax = 4 * 1024 * 1024;

// Makes the path of a credential of its name. What is wrong, or empty.
std::string locate_credential(const Reading& reading, std::string& name) {
  if (name.find('/') != std::string::npos || name.starts_with('.')) {
    return fmt::format("is {}, no name of a credential; write what LoadCredential calls it",
                       printable(name));
  }
  const auto folder = reading.surroundings.variable("CREDENTIALS_DIRECTORY");
  if (!folder || folder->empty()) {
    return "is a credential, and whoever starts Leat gave it none; a service manager does "
           "(LoadCredential)";
  }
  name = fmt::format("{}/{}", *folder, name);
  return {};
}

}  // namespace

Config parse_config(std::string_view text, const std::string& file,
                    const Surroundings& surroundings) {
  Reading reading{.options = {},
                  .faults = FaultList(file),
                  .surroundings = surroundings,
                  .folder = file.substr(0, file.rfind('/') + 1),
                  .has_system_roots = control::has_system_roots(surroundings),
                  .catalogue = {},
                  .stated_slugs = {},
                  .stated_regions = {},
                  .timed_models = {},
                  .logged_key = {}};
  reading.catalogue.files.push_back(file);
  if (text.size() > kConfigBytesMax) {
    reading.faults.add(0, "", fmt::format("has more than {} bytes", kConfigBytesMax));
    return {{}, nullptr, reading.faults.take()};
  }
  const auto parsed = parse_toml(text);
  if (const auto* error = std::get_if<TomlSyntaxError>(&parsed)) {
    reading.faults.add(error->line, "",
                       fmt::format("{}; nothing after this line was looked at", error->what));
    return {{}, nullptr, reading.faults.take()};
  }
  const TomlValue& root = std::get<TomlValue>(parsed);
  RootKeys root_keys;
  read_settings(root, "", root_settings(), root_keys, reading.faults);
  read_limits(reading, root);
  read_server(reading, root);
  read_admin(reading, root);
  read_accounts(reading, root);
  read_auth(reading, root);
  read_keys(reading, root);
  read_routing(reading, root);
  read_hold(reading, root);
  read_ledger(reading, root);
  read_log(reading, root);
  read_content_log(reading, root);
  read_trace(reading, root);
  read_providers(reading, root);
  read_models(reading, root);
  std::vector<Fault> catalogue_faults;
  auto catalogue = read_catalogue_files(reading, root, catalogue_faults);
  std::vector<Fault> faults = reading.faults.take();
  faults.insert(faults.end(), catalogue_faults.begin(), catalogue_faults.end());
  return {std::move(reading.options), std::move(catalogue), std::move(faults)};
}

Config load_config(const std::string& file, const Surroundings& surroundings) {
  // Not filled with zeros: only the pages that the file needs are touched.
  const auto text = std::make_unique_for_overwrite<char[]>(kConfigBytesMax);
  const Result<std::size_t> size = surroundings.read_file(file, {text.get(), kConfigBytesMax});
  if (!size) return {{}, nullptr, {{file, 0, "", size.error().what}}};
  return parse_config({text.get(), *size}, file, surroundings);
}

bool has_system_roots(const Surroundings& surroundings) {
  std::array<char, 1> first{};  // one byte tells
  const Result<std::size_t> size = surroundings.read_file(kSystemRootsFile, first);
  return size ? *size > 0 : size.error().code == Code::kTooLarge;
}

SecretSource read_secret_source(Reading& reading, const TomlValue& value, std::string_view key,
                                std::array<std::uint8_t, 32>* digest) {
  constexpr std::string_view kForm =
      "write { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }";
  if (value.kind != TomlValue::Kind::kTable) {
    reading.faults.add(value.line, key, fmt::format("is {}; {}", kind_name(value.kind), kForm));
    return {};
  }
  SecretSource source;
  read_settings(value, key, secret_settings(), source, reading.faults);
  const TomlMember* env = value.find("env");
  const TomlMember* path = value.find("file");
  const TomlMember* credential = value.find("credential");
  if ((env != nullptr) + (path != nullptr) + (credential != nullptr) != 1) {
    reading.faults.add(value.line, key,
                       fmt::format("needs one of env, file and credential; {}", kForm));
    return {};
  }
  const TomlMember& given = env != nullptr ? *env : path != nullptr ? *path : *credential;
  const std::string given_key = joined(key, given.key);
  constexpr std::int64_t kNameMax = 4'096;  // PATH_MAX
  store(given.value, {1, kNameMax}, given_key, source.name, reading.faults);
  if (source.name.empty()) return {};
  source.kind = env != nullptr ? SecretSource::Kind::kEnvironment : SecretSource::Kind::kFile;
  if (path != nullptr) source.name = resolved_path(reading, source.name);
  if (credential != nullptr) {
    if (std::string fault = locate_credential(reading, source.name); !fault.empty()) {
      reading.faults.add(given.line, given_key, std::move(fault));
      return {};
    }
  }
  SecretText secret;
  if (const auto found = secret.read(source, reading.surroundings); !found) {
    reading.faults.add(given.line, given_key, found.error());
  } else if (digest != nullptr && secret.view().size() < kChosenKeyMin) {
    reading.faults.add(given.line, given_key,
                       fmt::format("is a key of {} bytes, which can be guessed; make one of {} or "
                                   "more",
                                   secret.view().size(), kChosenKeyMin));
  } else if (digest != nullptr) {
    *digest = digest_of(secret.view());
  }
  return source;
}

std::string resolved_path(const Reading& reading, std::string_view path) {
  return path.starts_with('/') ? std::string(path) : reading.folder + std::string(path);
}

std::string read_pem(Reading& reading, const std::string& path, std::string_view label,
                     std::uint32_t line, std::string_view key) {
  const auto bytes = std::make_unique_for_overwrite<char[]>(kPemBytesMax);
  const Result<std::size_t> size =
      reading.surroundings.read_file(path, {bytes.get(), kPemBytesMax});
  if (!size) {
    reading.faults.add(line, key, fmt::format("file {} {}", printable(path), size.error().what));
    return {};
  }
  std::string text(bytes.get(), *size);
  explicit_bzero(bytes.get(), *size);  // it may be a private key
  if (text.find(label) != std::string::npos) return text;
  reading.faults.add(line, key,
                     fmt::format("file {} holds no PEM block \"{}\"", printable(path), label));
  return {};
}

bool is_plain_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace leat::control
