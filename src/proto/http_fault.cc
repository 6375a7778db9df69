// SPDX-License-Identifier: Apache-2.0
#include "proto/http_fault.h"

#include <array>

#include "base/check.h"

namespace leat::proto {
namespace {

using enum HttpFault;

constexpr std::array<HttpFaultInfo, kHttpFaultCount> kFaults{{
    {kNone, 200, "none", "No fault."},
    // RFC 9112 2.2: a bare CR is invalid, and a bare LF is what two parsers disagree about.
    {kBareLf, 400, "bad_head", "A line of the head ends in LF without CR."},
    {kBareCr, 400, "bad_head", "The head holds a CR that is not followed by LF."},
    {kNul, 400, "bad_head", "The head holds a NUL byte."},
    {kControlByte, 400, "bad_head", "The head holds a control byte."},
    {kObsFold, 400, "bad_head", "A header field is folded over several lines."},
    {kSpaceBeforeColon, 400, "bad_head", "White space stands before a header field's colon."},
    {kEmptyFieldName, 400, "bad_head", "A header field has an empty name."},
    {kBadFieldName, 400, "bad_head", "A header field's name is not a token."},
    {kFieldWithoutColon, 400, "bad_head", "A header line has no colon."},
    {kDuplicateField, 400, "bad_head", "A header field that may appear once appears twice."},
    // RFC 9112 3, 2.3.
    {kBadRequestLine, 400, "bad_request_line", "The request line is malformed."},
    {kBadMethod, 400, "bad_request_line", "The method is not a token."},
    {kBadTarget, 400, "bad_target", "The request target is malformed."},
    {kHttp09, 400, "bad_request_line", "The request line names no HTTP version."},
    {kBadVersion, 400, "bad_request_line", "The HTTP version is malformed."},
    {kUnsupportedVersion, 505, "http_version_not_supported",
     "Only HTTP/1.1 and HTTP/1.0 are spoken here."},
    {kBadStatusLine, 502, kUpstreamProtocolName, "The reply's status line is malformed."},
    {kUnaskedUpgrade, 502, kUpstreamProtocolName, "The reply switches protocols unasked."},
    // RFC 9112 3.2.
    {kMissingHost, 400, "bad_host", "The Host header field is missing."},
    {kDuplicateHost, 400, "bad_host", "There is more than one Host header field."},
    {kBadHost, 400, "bad_host", "The Host header field is malformed."},
    {kUserinfo, 400, "bad_host", "User information in an authority is not accepted."},
    {kHostMismatch, 400, "bad_host", "The target's authority and the Host header field differ."},
    // RFC 9112 6.1 to 6.3; stricter than 6.3 rule 3, which lets a server prefer the coding.
    {kLengthAndCoding, 400, "bad_framing", "Content-Length and Transfer-Encoding are both given."},
    {kDuplicateLength, 400, "bad_framing", "There is more than one Content-Length."},
    {kBadLength, 400, "bad_framing", "Content-Length is not a decimal number in range."},
    {kBadTransferEncoding, 400, "bad_framing", "Transfer-Encoding is not exactly \"chunked\"."},
    {kUnknownTransferCoding, 501, "unknown_transfer_coding",
     "Transfer-Encoding names a coding that is not spoken here."},
    {kTransferEncodingIn10, 400, "bad_framing", "HTTP/1.0 has no Transfer-Encoding."},
    {kBodyOnBodilessStatus, 502, kUpstreamProtocolName,
     "The reply announces a body where its status allows none."},
    // RFC 9110 15.5.15, RFC 6585 5.
    {kRequestLineTooLong, 414, "uri_too_long", "The request line is too long."},
    {kFieldLineTooLong, 431, "header_too_large", "A header field is too long."},
    {kHeadTooLarge, 431, "header_too_large", "The header section is too large."},
    {kTooManyFields, 431, "header_too_large", "There are too many header fields."},
    // RFC 9110 10.1.1, 15.5.6, 15.5.16.
    {kUnknownExpectation, 417, "expectation_failed", "Only \"100-continue\" may be expected."},
    {kMethodRefused, 405, "method_not_allowed", "This method is not served."},
    {kEncodedBody, 415, "unsupported_content_encoding", "Request bodies must not be compressed."},
    // RFC 9112 7.1.
    {kBadChunkSize, 400, "bad_framing", "A chunk's size is not a hexadecimal number."},
    {kChunkTooLarge, 400, "bad_framing", "A chunk's size has too many digits."},
    {kBadChunkExtension, 400, "bad_framing", "A chunk's size line is malformed."},
    {kBadChunkEnd, 400, "bad_framing", "A chunk's data is not followed by CRLF."},
    {kBadTrailer, 400, "bad_framing", "A trailer field is malformed."},
    {kChunkExtrasTooLarge, 400, "bad_framing", "Chunk extensions and trailers are too large."},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kFaults.size(); ++i) {
    if (static_cast<std::size_t>(kFaults[i].fault) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const HttpFaultInfo& fault_info(HttpFault fault) {
  const auto index = static_cast<std::size_t>(fault);
  LEAT_CHECK(index < kFaults.size());
  return kFaults[index];
}

Error to_error(HttpFault fault, Source source) {
  return {.code = Code::kProtocol,
          .source = source,
          .retry = source == Source::kUpstream ? Retry::kOtherUpstream : Retry::kNever,
          .what = fault_info(fault).text};
}

}  // namespace leat::proto
