// SPDX-License-Identifier: Apache-2.0
// The fields of a request's head as HTTP/2 sends them (RFC 9113 8.3.1): pseudo-fields first, names
// in lower case, nothing that speaks of a connection. The same choice and the same safety as
// write_request_head() (http1_write.h): a name that is no token or an unsafe value makes the whole
// an Error{kInvalid}, too little room is Error{kTooLarge}.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "proto/http1_write.h"

namespace leat::proto {

struct Http2Field {
  std::string_view name;
  std::string_view value;
  bool is_secret = false;  // never to be kept in a table that outlives the request
};

// More fields than a request of ours ever has.
inline constexpr std::size_t kHttp2FieldsMax = 128;

// Whether a field of that name (lower case) is one of a connection's, which HTTP/2 does not have.
bool is_connection_field(std::string_view name);

// The fields, in `into`; they point into `options` and into `room`, which holds what had to be
// written anew: the caller wipes it after use, since it has the secret.
Result<std::span<const Http2Field>> list_request_fields(const RequestOptions& options,
                                                        std::string_view scheme,
                                                        std::span<char> room,
                                                        std::span<Http2Field> into);

}  // namespace leat::proto
