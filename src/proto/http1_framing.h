// SPDX-License-Identifier: Apache-2.0
// Framing: the fields that say where a message ends and whether its connection goes on (RFC 9112
// 6 and 9.3), gathered field by field, the same for requests and replies. Stricter than the RFC
// where it leaves a choice: two parsers that choose differently are a smuggled request. Of the
// layer's own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/http1_field.h"
#include "proto/http_fault.h"

namespace leat::proto {

class Framing {
 public:
  void content_length(std::string_view value);
  void transfer_encoding(std::string_view value);
  void connection(std::string_view value);

  // The first thing wrong; both ways of framing at once come before all else.
  HttpFault fault(bool http10) const;
  std::optional<std::uint64_t> length() const { return length_; }
  bool chunked() const { return chunked_; }
  bool keep_alive(bool http10) const { return !close_ && (!http10 || keep_alive_); }

 private:
  void note(HttpFault fault) {
    if (first_fault_ == HttpFault::kNone) first_fault_ = fault;
  }

  std::optional<std::uint64_t> length_;
  HttpFault first_fault_ = HttpFault::kNone;
  bool length_seen_ = false;
  bool coding_seen_ = false;
  bool chunked_ = false;
  bool close_ = false;
  bool keep_alive_ = false;
};

// Takes the next element off a comma-separated list, without the white space around it. The list
// is used up when `rest` has no data() any more.
std::string_view next_element(std::string_view& rest);
// Without SP and HTAB at either end (RFC 9110 5.6.3).
std::string_view trim(std::string_view text);

}  // namespace leat::proto
