// SPDX-License-Identifier: Apache-2.0
// SecretText: a secret in passing, between its source and the locked arena or its digest. On the
// stack, wiped when it goes, never a std::string (§3.5 of the threat model).
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "control/surroundings.h"
#include "leat/options.h"

namespace leat::control {

class SecretText {
 public:
  // The longest API keys (signed tokens of clouds) have about 4 KiB.
  static constexpr std::size_t kBytesMax = 8 * 1024;

  SecretText() = default;
  ~SecretText();
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;

  // Fills itself from the source. The error says what is wrong and names the source, never the
  // value.
  std::expected<void, std::string> read(const SecretSource& source,
                                        const Surroundings& surroundings);

  // Valid until the next read() or the end of this object.
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kBytesMax> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace leat::control
