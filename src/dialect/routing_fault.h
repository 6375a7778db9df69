// SPDX-License-Identifier: Apache-2.0
// RoutingFault: why a body that is JSON is refused for what it asks of the router: 400
// `invalid_request`, with the field that is wrong (`provider.order[2]`). The message is a static
// text. The field's name holds known keys and numbers, and a key that nobody knows only where it
// looks like one (letters, digits and underscores, 32 at most): else a client that put a secret
// there would meet it in its logs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::dialect {

class RoutingFault {
 public:
  const char* message() const { return message_; }
  // Valid while the fault lives.
  std::string_view param() const { return {param_.data(), param_size_}; }

  // Each sets the fault and returns false, for the reader that gives up. `field` is static.
  bool set(const char* message, std::string_view field) {
    message_ = message;
    param_size_ = 0;
    append(field);
    return false;
  }
  bool set_element(const char* message, std::string_view field, std::size_t index);
  bool set_unknown(std::string_view field, std::string_view key);

 private:
  void append(std::string_view text);

  const char* message_ = "";
  std::uint8_t param_size_ = 0;
  std::array<char, 96> param_{};
};

}  // namespace leat::dialect
