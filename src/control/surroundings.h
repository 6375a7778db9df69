// SPDX-License-Identifier: Apache-2.0
// Surroundings: what a configuration refers to outside its own text: environment variables and
// files. A seam, so that tests and the fuzzer read neither. Used at load only, off the shards.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace leat::control {

class Surroundings {
 public:
  virtual ~Surroundings() = default;

  // The view stays valid as long as nobody changes the environment, which Leat never does.
  virtual std::optional<std::string_view> variable(const std::string& name) const = 0;
  // Reads the whole file into `out` and returns its size; kTooLarge when it does not fit.
  virtual Result<std::size_t> read_file(const std::string& path, std::span<char> out) const = 0;
};

// The process's own environment and file system.
class SystemSurroundings final : public Surroundings {
 public:
  std::optional<std::string_view> variable(const std::string& name) const override;
  Result<std::size_t> read_file(const std::string& path, std::span<char> out) const override;
};

// Others, and which files were read through it.
class NotingSurroundings final : public Surroundings {
 public:
  // `others` outlive it.
  explicit NotingSurroundings(const Surroundings& others) : others_(others) {}
  std::optional<std::string_view> variable(const std::string& name) const override {
    return others_.variable(name);
  }
  Result<std::size_t> read_file(const std::string& path, std::span<char> out) const override {
    files_.push_back(path);
    return others_.read_file(path, out);
  }
  const std::vector<std::string>& files() const { return files_; }

 private:
  const Surroundings& others_;
  mutable std::vector<std::string> files_;
};

}  // namespace leat::control
