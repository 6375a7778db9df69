// SPDX-License-Identifier: Apache-2.0
// ResponseParser: the head of a provider's HTTP/1.1 reply. Providers are not trusted: anything
// ambiguous is a fault, to be answered as 502 `upstream_protocol`, and the connection is never
// used again. Belongs to one upstream connection; no I/O, no allocation, no view kept.
//
// A 1xx reply is complete like any other (informational() is true); the caller skips head_bytes,
// counts it (at most kInformationalMax) and parses on. 101 is a fault: we never ask
// for an upgrade.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/http1_field.h"
#include "proto/http1_head.h"

namespace leat::proto {

// More of them before a reply than any provider sends (threats-and-faults 3.3).
inline constexpr int kInformationalMax = 8;

struct ResponseHead {
  std::uint16_t status = 0;  // 100..599
  bool http10 = false;
  bool keep_alive = false;  // the provider means to keep the connection, and the body has an end
  // How the body ends (RFC 9112 6.3). With none of the three there is no body at all.
  bool chunked = false;
  bool until_close = false;
  std::optional<std::uint64_t> content_length;  // also 0; never set for a status without a body

  std::string_view content_type;
  std::string_view content_encoding;
  std::string_view retry_after;
  std::string_view retry_after_ms;
  std::string_view x_request_id;
  std::string_view location;
  FieldList fields;

  bool informational() const { return status < 200; }
  // 1xx, 204 and 304 end with their head, whatever their fields say (RFC 9112 6.3 rule 1).
  bool has_no_body() const { return informational() || status == 204 || status == 304; }
};

template <class Scan>
class BasicResponseParser {
 public:
  // REQUIRES: limits within kHeadBytesMax and FieldList::kFieldsMax.
  explicit BasicResponseParser(const HeadLimits& limits = kResponseHeadLimits);

  // As BasicRequestParser::parse. The reply must be one to GET or POST: we never send HEAD.
  HeadStatus parse(std::string_view bytes, ResponseHead& head);
  void reset() { scan_ = {}; }

 private:
  HeadLimits limits_;
  HeadScan scan_;
};

struct ScalarScan;
struct Avx2Scan;
using ResponseParser = BasicResponseParser<Avx2Scan>;
extern template class BasicResponseParser<ScalarScan>;
extern template class BasicResponseParser<Avx2Scan>;

}  // namespace leat::proto
