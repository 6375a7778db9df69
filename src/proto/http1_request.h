// SPDX-License-Identifier: Apache-2.0
// RequestParser: the head of an HTTP/1.1 (or 1.0) request from a client, strictly (RFC 9112; what
// it allows and we refuse is in threats-and-faults 3.4). Belongs to one connection. It never
// touches the body, never decodes the target, never allocates, and keeps no view between calls:
// RequestHead points into the bytes that were given last.
//
//   parse(bytes from the head's first byte on) -> kNeedMore | kComplete(head_bytes) | kFault
//
// After kFault the connection is to be answered and closed: where the next request would begin is
// not known.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/http1_field.h"
#include "proto/http1_head.h"

namespace leat::proto {

enum class Method : std::uint8_t {
  kGet,
  kPost,
  kHead,
  kPut,
  kDelete,
  kPatch,
  kOptions,
  kConnect,
  kTrace,
  kOther,
};

// About 1.2 KiB: a shard needs one at a time, not one per connection.
struct RequestHead {
  Method method = Method::kOther;
  bool http10 = false;
  bool keep_alive = false;       // what the client wants: version and Connection (RFC 9112 9.3)
  bool chunked = false;          // body in chunked coding
  bool expect_continue = false;  // waits for "100 Continue"; only set when a body is announced
  std::optional<std::uint64_t> content_length;  // never together with chunked

  std::string_view method_text;
  std::string_view target;  // as sent: origin-form, absolute-form, authority-form or "*"
  std::string_view path;    // of the target, raw, up to '?'; empty for CONNECT
  std::string_view host;    // never to be used for routing or authentication
  FieldList fields;         // in the order sent; fields.get(KnownField::kAuthorization) and so on

  bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// What a well-formed head asks for and this gateway does not do: CONNECT and TRACE (405), a coded
// body (415). kNone when there is nothing of the kind.
HttpFault refusal(const RequestHead& head);

// Templated on how bytes are looked at (http1_scan.h); both ways give the same results.
template <class Scan>
class BasicRequestParser {
 public:
  // REQUIRES: limits within kHeadBytesMax and FieldList::kFieldsMax.
  explicit BasicRequestParser(const HeadLimits& limits = {});

  // `bytes`: everything received so far from the head's first byte on; what follows the head is
  // not looked at. `head` is meaningful only with kComplete.
  // REQUIRES: bytes of earlier calls for this head come again, unchanged.
  HeadStatus parse(std::string_view bytes, RequestHead& head);
  // Gives up a head that was begun; after kComplete it is done already.
  void reset() { scan_ = {}; }

 private:
  HeadLimits limits_;
  HeadScan scan_;
};

struct ScalarScan;
struct Avx2Scan;
using RequestParser = BasicRequestParser<Avx2Scan>;
extern template class BasicRequestParser<ScalarScan>;
extern template class BasicRequestParser<Avx2Scan>;

}  // namespace leat::proto
