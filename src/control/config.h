// SPDX-License-Identifier: Apache-2.0
// From TOML text to Options, whole or not at all: either the options are sound in every part that
// can be judged without a network, or there is a list of all faults. Nothing is started, connected
// to or written. What the text refers to (variables, files) is looked at, secrets included, but not
// kept.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/catalogue_build.h"
#include "control/fault.h"
#include "control/surroundings.h"
#include "leat/options.h"

namespace leat::control {

// 100,000 keys with their digests have 12 MiB; more is not a configuration.
inline constexpr std::size_t kConfigBytesMax = 16 * 1024 * 1024;

// The authorities that vouch for providers without a ca_file (Debian: package ca-certificates).
inline constexpr char kSystemRootsFile[] = "/etc/ssl/certs/ca-certificates.crt";

struct Config {
  Options options;  // sound if there are no faults; else not to be used
  // What is known of the models and providers of the options; null if there are faults.
  std::shared_ptr<const gateway::RoutedCatalogue> catalogue;
  std::vector<Fault> faults;  // in the order of lines

  bool ok() const { return faults.empty(); }
};

// `file` is what faults call the text; relative paths in it are taken from that file's folder.
Config parse_config(std::string_view text, const std::string& file,
                    const Surroundings& surroundings);

// The same from a file.
Config load_config(const std::string& file, const Surroundings& surroundings);

// Whether kSystemRootsFile can be read and is not empty.
bool has_system_roots(const Surroundings& surroundings);

}  // namespace leat::control
