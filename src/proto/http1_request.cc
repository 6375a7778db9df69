// SPDX-License-Identifier: Apache-2.0
#include "proto/http1_request.h"

#include "proto/http1_bytes.h"
#include "proto/http1_framing.h"
#include "proto/http1_lines.h"
#include "proto/http1_scan.h"

namespace leat::proto {
namespace {

// Methods are case-sensitive (RFC 9110 9.1).
Method method_of(std::string_view text) {
  switch (text.size()) {
    case 3:
      return text == "GET" ? Method::kGet : text == "PUT" ? Method::kPut : Method::kOther;
    case 4:
      return text == "POST" ? Method::kPost : text == "HEAD" ? Method::kHead : Method::kOther;
    case 5:
      return text == "PATCH" ? Method::kPatch : text == "TRACE" ? Method::kTrace : Method::kOther;
    case 6:
      return text == "DELETE" ? Method::kDelete : Method::kOther;
    case 7:
      return text == "OPTIONS"   ? Method::kOptions
             : text == "CONNECT" ? Method::kConnect
                                 : Method::kOther;
    default:
      return Method::kOther;
  }
}

HttpFault read_version(std::string_view text, bool& http10) {
  http10 = text == "HTTP/1.0";
  if (http10 || text == "HTTP/1.1") return HttpFault::kNone;
  const auto digit_at = [text](std::size_t i) {
    return is_digit(static_cast<unsigned char>(text[i]));
  };
  const bool formed =
      text.size() == 8 && text.starts_with("HTTP/") && digit_at(5) && text[6] == '.' && digit_at(7);
  return formed ? HttpFault::kUnsupportedVersion : HttpFault::kBadVersion;
}

bool is_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  std::uint32_t port = 0;
  for (const char c : text) {
    if (!is_digit(static_cast<unsigned char>(c))) return false;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return port <= 65535;
}

bool is_ip_literal(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (hex_value(static_cast<unsigned char>(c)) < 0 && c != ':' && c != '.') return false;
  }
  return true;
}

bool is_host_name(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_host_byte(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// host [":" port]. Narrower than RFC 3986 3.2.2: no percent-encoding, no sub-delims, no empty port,
// none of which a client of an API sends.
HttpFault check_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) return HttpFault::kUserinfo;
  std::size_t host_size = std::min(text.find(':'), text.size());
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || !is_ip_literal(text.substr(1, close - 1))) {
      return HttpFault::kBadHost;
    }
    host_size = close + 1;
  } else if (!is_host_name(text.substr(0, host_size))) {
    return HttpFault::kBadHost;
  }
  const std::string_view port = text.substr(host_size);
  const bool good = port.empty() || (port.front() == ':' && is_port(port.substr(1)));
  return good ? HttpFault::kNone : HttpFault::kBadHost;
}

template <class Scan>
class RequestSink {
 public:
  static constexpr bool kLeadingCrlf = true;  // RFC 9112 2.2

  explicit RequestSink(RequestHead& head) : head_(head) {}

  HttpFault start_line(std::string_view line, std::string_view bytes) {
    head_.fields.start(bytes.data());
    head_.host = {};
    const Scan scan(bytes);
    const char* const end = line.data() + line.size();
    const char* const method_end = scan.find_not_token(line.data(), end);
    if (method_end == line.data() || method_end == end) return HttpFault::kBadRequestLine;
    if (*method_end != ' ') return HttpFault::kBadMethod;
    const char* const target = method_end + 1;
    const char* const target_end = scan.find_not_visible(target, end);
    if (target == target_end) {
      return target == end || *target == ' ' ? HttpFault::kBadRequestLine : HttpFault::kBadTarget;
    }
    head_.method_text = {line.data(), static_cast<std::size_t>(method_end - line.data())};
    head_.method = method_of(head_.method_text);
    head_.target = {target, static_cast<std::size_t>(target_end - target)};
    if (target_end == end) return HttpFault::kHttp09;
    if (*target_end != ' ') return HttpFault::kBadTarget;
    const char* const version = target_end + 1;
    const HttpFault fault =
        read_version({version, static_cast<std::size_t>(end - version)}, head_.http10);
    return fault == HttpFault::kNone ? read_target() : fault;
  }

  void field(KnownField known, std::string_view name, std::string_view value) {
    const bool again = head_.fields.has(known);
    head_.fields.add(known, name, value);
    switch (known) {
      case KnownField::kHost:
        note(again ? HttpFault::kDuplicateHost : check_authority(value));
        head_.host = value;
        break;
      case KnownField::kContentLength:
        framing_.content_length(value);
        break;
      case KnownField::kTransferEncoding:
        framing_.transfer_encoding(value);
        break;
      case KnownField::kConnection:
        framing_.connection(value);
        break;
      case KnownField::kExpect:
        if (again || !equal_ignoring_case(value, "100-continue")) {
          note(HttpFault::kUnknownExpectation);
        }
        break;
      // Whose key, and what kind of body: the first and the last must not be two answers.
      case KnownField::kAuthorization:
      case KnownField::kXApiKey:
      case KnownField::kXProviderApiKeys:
      case KnownField::kContentType:
      case KnownField::kContentEncoding:
        if (again) note(HttpFault::kDuplicateField);
        break;
      default:
        break;
    }
  }

  // Framing comes first: it decides whether the next request can be found at all.
  HttpFault finish() {
    const HttpFault framing = framing_.fault(head_.http10);
    if (framing != HttpFault::kNone) return framing;
    // HTTP/1.0 knows no Host; load balancers ask after our health without one.
    if (!head_.fields.has(KnownField::kHost) && !head_.http10) note(HttpFault::kMissingHost);
    if (authority_.data() != nullptr && head_.fields.has(KnownField::kHost) &&
        !equal_ignoring_case(authority_, head_.host)) {
      note(HttpFault::kHostMismatch);
    }
    head_.content_length = framing_.length();
    head_.chunked = framing_.chunked();
    head_.keep_alive = framing_.keep_alive(head_.http10);
    // A 1.0 client does not understand the interim reply (RFC 9110 10.1.1).
    head_.expect_continue =
        head_.fields.has(KnownField::kExpect) && !head_.http10 && head_.has_body();
    return first_fault_;
  }

 private:
  void note(HttpFault fault) {
    if (first_fault_ == HttpFault::kNone) first_fault_ = fault;
  }

  // The four forms of RFC 9112 3.2.
  HttpFault read_target() {
    const std::string_view target = head_.target;
    if (target.find('#') != std::string_view::npos) return HttpFault::kBadTarget;
    if (head_.method == Method::kConnect) {
      head_.path = {};
      return check_target_authority(target);
    }
    if (target.front() == '/') {
      head_.path = target.substr(0, target.find('?'));
      return HttpFault::kNone;
    }
    if (target == "*" && head_.method == Method::kOptions) {
      head_.path = target;
      return HttpFault::kNone;
    }
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
      const std::string_view rest = target.substr(scheme.size());
      const std::size_t authority_size = std::min(rest.find_first_of("/?"), rest.size());
      const std::string_view path = rest.substr(authority_size);
      head_.path = path.starts_with('/') ? path.substr(0, path.find('?')) : "/";
      return check_target_authority(rest.substr(0, authority_size));
    }
    return HttpFault::kBadTarget;
  }

  HttpFault check_target_authority(std::string_view authority) {
    authority_ = authority;
    const HttpFault fault = check_authority(authority);
    return fault == HttpFault::kBadHost ? HttpFault::kBadTarget : fault;
  }

  RequestHead& head_;
  Framing framing_;
  std::string_view authority_;  // of an absolute-form or authority-form target
  HttpFault first_fault_ = HttpFault::kNone;
};

}  // namespace

HttpFault refusal(const RequestHead& head) {
  if (head.method == Method::kConnect || head.method == Method::kTrace) {
    return HttpFault::kMethodRefused;
  }
  const std::string_view coding = head.fields.get(KnownField::kContentEncoding);
  const bool coded =
      head.fields.has(KnownField::kContentEncoding) && !equal_ignoring_case(coding, "identity");
  return coded ? HttpFault::kEncodedBody : HttpFault::kNone;
}

template <class Scan>
BasicRequestParser<Scan>::BasicRequestParser(const HeadLimits& limits) : limits_(limits) {
  check_limits(limits);
}

template <class Scan>
HeadStatus BasicRequestParser<Scan>::parse(std::string_view bytes, RequestHead& head) {
  RequestSink<Scan> sink(head);
  return scan_head<Scan>(bytes, limits_, scan_, sink);
}

template class BasicRequestParser<ScalarScan>;
template class BasicRequestParser<Avx2Scan>;

}  // namespace leat::proto
