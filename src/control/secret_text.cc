// SPDX-License-Identifier: Apache-2.0
#include "control/secret_text.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>

#include "control/fault.h"

namespace leat::control {

SecretText::~SecretText() {
  explicit_bzero(bytes_.data(), bytes_.size());
}

std::expected<void, std::string> SecretText::read(const SecretSource& source,
                                                  const Surroundings& surroundings) {
  size_ = 0;
  std::string origin;
  if (source.kind == SecretSource::Kind::kEnvironment) {
    origin = fmt::format("environment variable {}", printable(source.name));
    const auto value = surroundings.variable(source.name);
    if (!value) return std::unexpected(fmt::format("{} is not set; set it", origin));
    if (value->size() > bytes_.size())
      return std::unexpected(fmt::format("{} is too long", origin));
    std::copy(value->begin(), value->end(), bytes_.begin());
    size_ = value->size();
  } else {
    origin = fmt::format("file {}", printable(source.name));
    const Result<std::size_t> size = surroundings.read_file(source.name, bytes_);
    if (!size) return std::unexpected(fmt::format("{} {}", origin, size.error().what));
    size_ = *size;
    if (size_ > 0 && bytes_[size_ - 1] == '\n') --size_;
    if (size_ > 0 && bytes_[size_ - 1] == '\r') --size_;
  }
  if (size_ == 0) return std::unexpected(fmt::format("{} is empty; put the secret there", origin));
  // It becomes part of a header field: visible ASCII only (RFC 6750 2.1 allows less still).
  const bool is_visible = std::all_of(bytes_.begin(), bytes_.begin() + size_,
                                      [](char c) { return c > 0x20 && c < 0x7f; });
  if (!is_visible) {
    return std::unexpected(
        fmt::format("{} has a blank, line end or byte outside of ASCII in it", origin));
  }
  return {};
}

}  // namespace leat::control
