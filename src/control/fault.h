// SPDX-License-Identifier: Apache-2.0
// Fault: one thing wrong with a configuration, told so that the reader can mend it without looking
// anything up. A FaultList gathers all of them; it never holds the value of a setting that may be a
// secret, and what it repeats from the file is cut short and freed of control bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leat::control {

struct Fault {
  std::string file;
  std::uint32_t line = 0;  // from 1; 0: the file as a whole
  std::string key;   // dotted path, `models[0].endpoints[1].provider`; empty: none in particular
  std::string what;  // what is wrong and what to write

  // FILE:LINE: key: what
  std::string to_string() const;
};

class FaultList {
 public:
  explicit FaultList(std::string_view file) : file_(file) {}

  // The same fault twice is told once.
  void add(std::uint32_t line, std::string_view key, std::string what);
  // A key that no table has, with the nearest one of `known` as a suggestion.
  void add_unknown(std::uint32_t line, std::string_view path, std::string_view key,
                   std::span<const std::string_view> known);

  bool empty() const { return faults_.empty(); }
  // In the order of lines; faults of one line in the order in which they were found.
  std::vector<Fault> take();

 private:
  // More than anybody mends in one go; bounds the work that a file of nothing but faults can cause.
  static constexpr std::size_t kFaultsMax = 1'000;

  std::string file_;
  std::vector<Fault> faults_;  // in the order of lines
};

// Text from the file as it may stand in a fault: at most 60 bytes, control bytes as `?`.
std::string printable(std::string_view text);

// The member of `known` that `word` is probably a misspelling of; empty when none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace leat::control
