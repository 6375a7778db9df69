// SPDX-License-Identifier: Apache-2.0
// Which fields a request to a provider has, and in which order, whatever protocol it is sent in:
// what write_request_head() (HTTP/1.1) and list_request_fields() (HTTP/2) have in common. Of proto
// alone.
#pragma once

#include <array>
#include <string_view>

#include "proto/http1_field.h"
#include "proto/http1_write.h"

namespace leat::proto {

// Fields of the client's request that may travel on: tracing and betas. All others are built by us
// or stay here (threats-and-faults 3.4).
inline constexpr std::array kForwardedFields = {KnownField::kTraceparent, KnownField::kTracestate,
                                                KnownField::kOpenaiBeta, KnownField::kAnthropicBeta,
                                                KnownField::kIdempotencyKey};

// A name of ours as each protocol has it.
struct OwnFieldName {
  std::string_view http1;
  std::string_view http2;
};

// All but what names the target. A Writer has own_field(OwnFieldName, text or number), bearer() and
// field(name, value) for a name that may be anything.
template <class Writer>
void write_request_fields(const RequestOptions& options, Writer& to) {
  to.own_field({"User-Agent", "user-agent"}, kUserAgent);
  to.own_field({"Accept", "accept"}, options.accept);
  // Events are read in passing; a coded stream could not be.
  to.own_field({"Accept-Encoding", "accept-encoding"}, std::string_view("identity"));
  if (!options.bearer.empty()) to.bearer(options.bearer);
  if (options.content_length) {
    to.own_field({"Content-Type", "content-type"}, options.content_type);
    to.own_field({"Content-Length", "content-length"}, *options.content_length);
  }
  for (const Field& field : options.fields) to.field(field.name, field.value);
  if (options.client == nullptr) return;
  for (const KnownField known : kForwardedFields) {
    if (options.client->has(known)) to.field(known_field_name(known), options.client->get(known));
  }
}

}  // namespace leat::proto
