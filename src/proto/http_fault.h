// SPDX-License-Identifier: Apache-2.0
// HttpFault: everything an HTTP/1.1 peer can do wrong, one value each, with the answer it earns.
// One table (http_fault.cc) gives status, the API's error name and a static English text, so that
// codec, gateway, log and counter never disagree. Nothing here holds a byte of the peer's.
// Sources: RFC 9110, RFC 9112 (sections in the table).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace leat::proto {

// IF YOU ADD A VALUE: add its row to the table in http_fault.cc, in the same order.
enum class HttpFault : std::uint8_t {
  kNone,
  // Bytes of a head.
  kBareLf,
  kBareCr,
  kNul,
  kControlByte,
  kObsFold,
  kSpaceBeforeColon,
  kEmptyFieldName,
  kBadFieldName,
  kFieldWithoutColon,
  kDuplicateField,
  // Start line.
  kBadRequestLine,
  kBadMethod,
  kBadTarget,
  kHttp09,
  kBadVersion,
  kUnsupportedVersion,
  kBadStatusLine,
  kUnaskedUpgrade,
  // Host.
  kMissingHost,
  kDuplicateHost,
  kBadHost,
  kUserinfo,
  kHostMismatch,
  // Framing of a body.
  kLengthAndCoding,
  kDuplicateLength,
  kBadLength,
  kBadTransferEncoding,
  kUnknownTransferCoding,
  kTransferEncodingIn10,
  kBodyOnBodilessStatus,
  // Limits.
  kRequestLineTooLong,
  kFieldLineTooLong,
  kHeadTooLarge,
  kTooManyFields,
  // What we do not do.
  kUnknownExpectation,
  kMethodRefused,
  kEncodedBody,
  // Chunked body.
  kBadChunkSize,
  kChunkTooLarge,
  kBadChunkExtension,
  kBadChunkEnd,
  kBadTrailer,
  kChunkExtrasTooLarge,
};
inline constexpr std::size_t kHttpFaultCount =
    static_cast<std::size_t>(HttpFault::kChunkExtrasTooLarge) + 1;

struct HttpFaultInfo {
  HttpFault fault;
  std::uint16_t status;  // for a client's fault; a provider's is always answered with 502
  const char* name;      // error_type, the log's reason, the counter's label
  const char* text;      // a sentence for a person
};

const HttpFaultInfo& fault_info(HttpFault fault);

// The name under which any fault of a provider's reply is reported to the client (status 502).
inline constexpr const char* kUpstreamProtocolName = "upstream_protocol";

// The fault as an Error: a client's is never worth another try, a provider's may be tried on
// another upstream (the connection is spoilt either way).
Error to_error(HttpFault fault, Source source);

}  // namespace leat::proto
