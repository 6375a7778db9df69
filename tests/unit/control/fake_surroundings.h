// SPDX-License-Identifier: Apache-2.0
// Surroundings of a test: the variables and files that it names, and no others.
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "control/surroundings.h"

namespace leat::control {

class FakeSurroundings final : public Surroundings {
 public:
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;

  std::optional<std::string_view> variable(const std::string& name) const override {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  }

  Result<std::size_t> read_file(const std::string& path, std::span<char> out) const override {
    const auto found = files.find(path);
    if (found == files.end()) return fail({.code = Code::kNotFound, .what = "does not exist"});
    if (found->second.size() > out.size()) {
      return fail({.code = Code::kTooLarge, .what = "is too large"});
    }
    std::copy(found->second.begin(), found->second.end(), out.begin());
    return found->second.size();
  }
};

}  // namespace leat::control
