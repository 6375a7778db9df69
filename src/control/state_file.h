// SPDX-License-Identifier: Apache-2.0
// StateFile: one file of what a restart need not learn again. Written aside, synced and renamed, so
// that a crash or a full disk leaves the last good state; read by nobody but us. Used from
// control's thread, which it holds up for one write; shards never wait for it. What goes wrong
// costs the state and one line, never the service.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/instant.h"
#include "base/result.h"
#include "control/surroundings.h"

namespace leat::control {

class StateFile {
 public:
  // How much of what was seen a crash may cost.
  static constexpr Duration kInterval = seconds(60);

  // `name`: what lines call it; outlives this. An empty path: nothing is kept.
  StateFile(const char* name, std::string path) : name_(name), path_(std::move(path)) {}

  bool is_kept() const { return !path_.empty(); }
  // kNotFound: there is none, as at the first start; kTooLarge. REQUIRES: is_kept().
  Result<std::string> read(const Surroundings& surroundings, std::size_t bytes_max) const;
  // A line that says why it is of no use, and what the start goes without.
  std::string refusal(const char* why, const char* without) const;
  // A line for the operator, or empty. What is wrong is told once, until a write succeeds.
  // REQUIRES: is_kept().
  std::string write(std::span<const char> bytes);

 private:
  const char* name_;
  std::string path_;
  bool fault_told_ = false;
};

}  // namespace leat::control
