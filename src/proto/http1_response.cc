// SPDX-License-Identifier: Apache-2.0
#include "proto/http1_response.h"

#include "proto/http1_bytes.h"
#include "proto/http1_framing.h"
#include "proto/http1_lines.h"
#include "proto/http1_scan.h"

namespace leat::proto {
namespace {

class ResponseSink {
 public:
  static constexpr bool kLeadingCrlf = false;  // those would be stray bytes of an earlier reply

  explicit ResponseSink(ResponseHead& head) : head_(head) {}

  // HTTP-version SP 3DIGIT [SP reason]. The SP before an empty reason is often left out; nothing
  // hangs on it (RFC 9112 4).
  HttpFault start_line(std::string_view line, std::string_view bytes) {
    head_.fields.start(bytes.data());
    head_.http10 = line.starts_with("HTTP/1.0 ");
    if (!head_.http10 && !line.starts_with("HTTP/1.1 ")) return HttpFault::kBadStatusLine;
    if (line.size() < 12 || (line.size() > 12 && line[12] != ' ')) return HttpFault::kBadStatusLine;
    unsigned status = 0;
    for (const char c : line.substr(9, 3)) {
      if (!is_digit(static_cast<unsigned char>(c))) return HttpFault::kBadStatusLine;
      status = status * 10 + static_cast<unsigned>(c - '0');
    }
    if (status < 100 || status > 599) return HttpFault::kBadStatusLine;
    head_.status = static_cast<std::uint16_t>(status);
    return status == 101 ? HttpFault::kUnaskedUpgrade : HttpFault::kNone;
  }

  void field(KnownField known, std::string_view name, std::string_view value) {
    const bool again = head_.fields.has(known);
    head_.fields.add(known, name, value);
    switch (known) {
      case KnownField::kContentLength:
        framing_.content_length(value);
        break;
      case KnownField::kTransferEncoding:
        framing_.transfer_encoding(value);
        break;
      case KnownField::kConnection:
        framing_.connection(value);
        break;
      // How the body is to be read: two answers are none.
      case KnownField::kContentType:
      case KnownField::kContentEncoding:
        if (again && first_fault_ == HttpFault::kNone) first_fault_ = HttpFault::kDuplicateField;
        break;
      default:
        break;
    }
  }

  HttpFault finish() {
    const HttpFault framing = framing_.fault(head_.http10);
    if (framing != HttpFault::kNone) return framing;
    head_.content_length = framing_.length();
    head_.chunked = framing_.chunked();
    head_.until_close = false;
    if (head_.has_no_body()) {
      // A 304 describes the body it does not send; the others must not (RFC 9110 8.6).
      const bool announced = head_.chunked || head_.content_length.value_or(0) > 0;
      if (announced && head_.status != 304) return HttpFault::kBodyOnBodilessStatus;
      head_.content_length.reset();
      head_.chunked = false;
    } else {
      head_.until_close = !head_.chunked && !head_.content_length;
    }
    head_.keep_alive = framing_.keep_alive(head_.http10) && !head_.until_close;
    head_.content_type = head_.fields.get(KnownField::kContentType);
    head_.content_encoding = head_.fields.get(KnownField::kContentEncoding);
    head_.retry_after = head_.fields.get(KnownField::kRetryAfter);
    head_.retry_after_ms = head_.fields.get(KnownField::kRetryAfterMs);
    head_.x_request_id = head_.fields.get(KnownField::kXRequestId);
    head_.location = head_.fields.get(KnownField::kLocation);
    return first_fault_;
  }

 private:
  ResponseHead& head_;
  Framing framing_;
  HttpFault first_fault_ = HttpFault::kNone;
};

}  // namespace

template <class Scan>
BasicResponseParser<Scan>::BasicResponseParser(const HeadLimits& limits) : limits_(limits) {
  check_limits(limits);
}

template <class Scan>
HeadStatus BasicResponseParser<Scan>::parse(std::string_view bytes, ResponseHead& head) {
  ResponseSink sink(head);
  return scan_head<Scan>(bytes, limits_, scan_, sink);
}

template class BasicResponseParser<ScalarScan>;
template class BasicResponseParser<Avx2Scan>;

}  // namespace leat::proto
