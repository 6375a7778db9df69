// SPDX-License-Identifier: Apache-2.0
// Goal: no request head is read differently from what the next HTTP/1.1 speaker would read, and
// what real clients send is understood.
// Method: tables of heads with what they must give, fault or content. Every head is also parsed cut
// in two at every byte, trickled byte by byte, and by the scalar scan; the outcome never differs.
#include "proto/http1_request.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/http1_scan.h"

namespace leat::proto {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using ScalarRequestParser = BasicRequestParser<ScalarScan>;

// All that a parse gives, by value. With a fault the head means nothing and is left out.
struct Outcome {
  HeadState state = HeadState::kNeedMore;
  HttpFault fault = HttpFault::kNone;
  std::size_t head_bytes = 0;
  Method method = Method::kOther;
  std::string method_text, target, path, host;
  bool http10 = false, keep_alive = false, chunked = false, expect_continue = false;
  std::optional<std::uint64_t> content_length;
  std::vector<std::pair<std::string, std::string>> fields;
  HttpFault refused = HttpFault::kNone;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& o) {
  return out << "state " << static_cast<int>(o.state) << ", " << fault_info(o.fault).text
             << " bytes " << o.head_bytes << " method " << o.method_text << " target " << o.target
             << " path " << o.path << " fields " << o.fields.size();
}

Outcome outcome_of(const HeadStatus& status, const RequestHead& head) {
  Outcome o;
  o.state = status.state;
  o.fault = status.fault;
  o.head_bytes = status.head_bytes;
  if (!status.complete()) return o;
  o.method = head.method;
  o.method_text = head.method_text;
  o.target = head.target;
  o.path = head.path;
  o.host = head.host;
  o.http10 = head.http10;
  o.keep_alive = head.keep_alive;
  o.chunked = head.chunked;
  o.expect_continue = head.expect_continue;
  o.content_length = head.content_length;
  for (const Field field : head.fields) o.fields.emplace_back(field.name, field.value);
  o.refused = refusal(head);
  return o;
}

// Parses prefixes of `bytes` of growing size, as a connection would, until the outcome is known.
// Each prefix lies in memory of its own and exact size, and a head of its own is given each time:
// neither may be relied on between calls.
template <class Parser>
Outcome parse(std::string_view bytes, const std::vector<std::size_t>& sizes,
              const HeadLimits& limits = {}) {
  Parser parser(limits);
  for (const std::size_t size : sizes) {
    const auto copy = std::make_unique<char[]>(size);
    std::copy_n(bytes.data(), size, copy.get());
    const auto head = std::make_unique<RequestHead>();
    const HeadStatus status = parser.parse({copy.get(), size}, *head);
    if (!status.need_more()) return outcome_of(status, *head);
  }
  return {};
}

Outcome parse_whole(std::string_view bytes, const HeadLimits& limits = {}) {
  return parse<RequestParser>(bytes, {bytes.size()}, limits);
}

void expect_same_however_cut(std::string_view bytes, const HeadLimits& limits = {}) {
  SCOPED_TRACE(testing::Message() << "head: " << bytes.substr(0, 100));
  const Outcome whole = parse_whole(bytes, limits);
  EXPECT_EQ((parse<ScalarRequestParser>(bytes, {bytes.size()}, limits)), whole);
  std::vector<std::size_t> trickle;
  for (std::size_t size = 0; size <= bytes.size(); ++size) trickle.push_back(size);
  EXPECT_EQ((parse<RequestParser>(bytes, trickle, limits)), whole);
  EXPECT_EQ((parse<ScalarRequestParser>(bytes, trickle, limits)), whole);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    ASSERT_EQ((parse<RequestParser>(bytes, {cut, bytes.size()}, limits)), whole) << "cut " << cut;
  }
}

// A parsed head and what keeps its views alive.
struct Parsed {
  std::string bytes;
  std::unique_ptr<RequestHead> head = std::make_unique<RequestHead>();
  HeadStatus status;
};

std::unique_ptr<Parsed> parsed(std::string_view bytes) {
  auto p = std::make_unique<Parsed>();
  p->bytes = bytes;
  p->status = RequestParser().parse(p->bytes, *p->head);
  return p;
}

// A head that is right but for `line`.
std::string with(std::string_view line) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n";
}
std::string with_target(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
std::string with_host(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

// As an SDK on node sends it.
constexpr std::string_view kSdkHead =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "host: 127.0.0.1:8080\r\n"
    "connection: keep-alive\r\n"
    "accept: application/json\r\n"
    "content-type: application/json\r\n"
    "user-agent: OpenAI/JS 4.77.0\r\n"
    "x-stainless-lang: js\r\n"
    "x-stainless-retry-count: 0\r\n"
    "authorization: Bearer sk-leat-0123456789abcdef0123456789abcdef\r\n"
    "accept-language: *\r\n"
    "sec-fetch-mode: cors\r\n"
    "accept-encoding: gzip, deflate\r\n"
    "content-length: 112\r\n"
    "\r\n";

TEST(Http1Request, ReadsWhatAnSdkSends) {
  const std::string bytes = std::string(kSdkHead) + "{\"model\":\"m\"}";
  const Outcome o = parse_whole(bytes);
  ASSERT_EQ(o.state, HeadState::kComplete) << o;
  EXPECT_EQ(o.head_bytes, kSdkHead.size());
  EXPECT_EQ(o.method, Method::kPost);
  EXPECT_EQ(o.method_text, "POST");
  EXPECT_EQ(o.target, "/v1/chat/completions");
  EXPECT_EQ(o.path, "/v1/chat/completions");
  EXPECT_EQ(o.host, "127.0.0.1:8080");
  EXPECT_EQ(o.content_length, 112u);
  EXPECT_TRUE(o.keep_alive);
  EXPECT_FALSE(o.http10);
  EXPECT_FALSE(o.chunked);
  EXPECT_FALSE(o.expect_continue);
  EXPECT_EQ(o.refused, HttpFault::kNone);
  ASSERT_EQ(o.fields.size(), 12u);
  EXPECT_EQ(o.fields[7].first, "authorization");
  EXPECT_EQ(o.fields[7].second, "Bearer sk-leat-0123456789abcdef0123456789abcdef");
  expect_same_however_cut(bytes);
}

TEST(Http1Request, FindsFieldsByNameWhateverTheCase) {
  const auto p = parsed(
      "GET / HTTP/1.1\r\nHOST: a\r\nauthorizatioN: Bearer k\r\nx-API-key: k2\r\n"
      "X-OpenRouter-Title: t\r\nX-Own: 1\r\nX-Own: 2\r\nx-session-id:\r\n\r\n");
  ASSERT_TRUE(p->status.complete());
  const FieldList& fields = p->head->fields;
  EXPECT_EQ(fields.get(KnownField::kAuthorization), "Bearer k");
  EXPECT_EQ(fields.get(KnownField::kXApiKey), "k2");
  EXPECT_EQ(fields.get(KnownField::kXOpenrouterTitle), "t");
  EXPECT_EQ(fields.find("x-own"), "1") << "the first of two";
  EXPECT_TRUE(fields.has(KnownField::kXSessionId));
  EXPECT_EQ(fields.get(KnownField::kXSessionId), "");
  EXPECT_FALSE(fields.has(KnownField::kTraceparent));
  EXPECT_EQ(fields.get(KnownField::kTraceparent), "");
  EXPECT_EQ(fields.find("x-ow"), "");
}

TEST(Http1Request, EveryKnownNameIsFoundAndNoNeighbourOfIt) {
  for (std::size_t i = 0; i < kKnownFieldCount; ++i) {
    const auto field = static_cast<KnownField>(i);
    std::string name(known_field_name(field));
    EXPECT_EQ(find_known_field(name), field) << name;
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(find_known_field(name), field) << name;
    for (char& c : name) {
      const char kept = std::exchange(c, c == '1' ? '2' : '1');
      EXPECT_EQ(find_known_field(name), KnownField::kNotKnown) << name;
      c = kept;
    }
    EXPECT_EQ(find_known_field(name + "s"), KnownField::kNotKnown) << name;
    EXPECT_EQ(find_known_field(std::string_view(name).substr(1)), KnownField::kNotKnown) << name;
    for (std::size_t size = 0; size < name.size(); ++size) {
      const std::string_view prefix = std::string_view(name).substr(0, size);
      const KnownField found = find_known_field(prefix);
      EXPECT_TRUE(found == KnownField::kNotKnown ||
                  equal_ignoring_case(known_field_name(found), prefix))
          << prefix;
    }
  }
}

TEST(Http1Request, ReadsMethods) {
  using enum Method;
  const std::pair<std::string_view, Method> cases[] = {
      {"GET", kGet},        {"POST", kPost},   {"HEAD", kHead},       {"PUT", kPut},
      {"DELETE", kDelete},  {"PATCH", kPatch}, {"OPTIONS", kOptions}, {"TRACE", kTrace},
      {"PROPFIND", kOther}, {"get", kOther},   {"POSTS", kOther},     {"M-SEARCH", kOther},
  };
  for (const auto& [text, method] : cases) {
    const Outcome o = parse_whole(std::string(text) + " / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(o.method, method) << text;
    EXPECT_EQ(o.method_text, text);
    EXPECT_EQ(o.refused, method == kTrace ? HttpFault::kMethodRefused : HttpFault::kNone) << text;
  }
  const Outcome connect = parse_whole("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
  EXPECT_EQ(connect.method, kConnect);
  EXPECT_EQ(connect.path, "");
  EXPECT_EQ(connect.refused, HttpFault::kMethodRefused);
}

TEST(Http1Request, SplitsTheTargetButNeverDecodesIt) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/", "/"},
      {"/v1/models?limit=3&x=/..", "/v1/models"},
      {"/?", "/"},
      {"/a/../b", "/a/../b"},
      {"/%2e%2e/%2f//;x\\", "/%2e%2e/%2f//;x\\"},
      {"http://a/v1/models?x", "/v1/models"},
      {"HTTPS://A/v1", "/v1"},
      {"http://a", "/"},
      {"http://a?x=/y", "/"},
  };
  for (const auto& [target, path] : cases) {
    const Outcome o = parse_whole(with_target(target));
    EXPECT_EQ(o.state, HeadState::kComplete) << target << o;
    EXPECT_EQ(o.target, target);
    EXPECT_EQ(o.path, path) << target;
  }
  EXPECT_EQ(parse_whole("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").path, "*");
}

TEST(Http1Request, KeepsTheConnectionAsVersionAndFieldSay) {
  const struct {
    std::string_view version, fields;
    bool keep_alive;
  } cases[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: Close\r\n", false},
      {"1.1", "Connection: keep-alive, close\r\n", false},
      {"1.1", "Connection: keep-alive\r\nConnection: x,\tCLOSE ,\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", true},
      {"1.1", "Connection:\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: keep-alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const auto& c : cases) {
    const Outcome o = parse_whole("GET / HTTP/" + std::string(c.version) + "\r\nHost: a\r\n" +
                                  std::string(c.fields) + "\r\n");
    EXPECT_EQ(o.state, HeadState::kComplete) << c.fields;
    EXPECT_EQ(o.keep_alive, c.keep_alive) << c.version << c.fields;
    EXPECT_EQ(o.http10, c.version == "1.0");
  }
}

TEST(Http1Request, ReadsTheBodysFraming) {
  EXPECT_EQ(parse_whole(with("Content-Length: 0")).content_length, 0u);
  EXPECT_EQ(parse_whole(with("Content-Length: \t007 \t")).content_length, 7u);
  EXPECT_EQ(parse_whole(with("Content-Length: 18446744073709551615")).content_length, UINT64_MAX);
  EXPECT_EQ(parse_whole(with("X: y")).content_length, std::nullopt);
  EXPECT_TRUE(parse_whole(with("Transfer-Encoding: chunked")).chunked);
  EXPECT_TRUE(parse_whole(with("transfer-encoding:CHUNKED")).chunked);
  EXPECT_FALSE(parse_whole(with("X-Transfer-Encoding: chunked")).chunked);
}

TEST(Http1Request, OffersToContinueOnlyWhereABodyWaits) {
  EXPECT_TRUE(parse_whole(with("Expect: 100-Continue\r\nContent-Length: 5")).expect_continue);
  EXPECT_TRUE(
      parse_whole(with("Expect: 100-continue\r\nTransfer-Encoding: chunked")).expect_continue);
  EXPECT_FALSE(parse_whole(with("Expect: 100-continue")).expect_continue);
  EXPECT_FALSE(parse_whole(with("Expect: 100-continue\r\nContent-Length: 0")).expect_continue);
  EXPECT_FALSE(parse_whole("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
                   .expect_continue);
}

TEST(Http1Request, ReportsACodedBody) {
  EXPECT_EQ(parse_whole(with("Content-Encoding: gzip")).refused, HttpFault::kEncodedBody);
  EXPECT_EQ(parse_whole(with("Content-Encoding:")).refused, HttpFault::kEncodedBody);
  EXPECT_EQ(parse_whole(with("Content-Encoding: Identity")).refused, HttpFault::kNone);
}

TEST(Http1Request, TakesHostsAsClientsWriteThem) {
  for (const std::string_view host :
       {"a", "api.example.com", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:65535",
        "[2001:DB8::0]", "[::ffff:1.2.3.4]:80", "my_service-1.local", "A.B:00080"}) {
    expect_same_however_cut(with_host(host));
    EXPECT_EQ(parse_whole(with_host(host)).host, host);
  }
  EXPECT_EQ(parse_whole("GET http://A.b:80/ HTTP/1.1\r\nHost: a.B:80\r\n\r\n").state,
            HeadState::kComplete);
  EXPECT_EQ(parse_whole("GET / HTTP/1.0\r\n\r\n").state, HeadState::kComplete)
      << "HTTP/1.0 has no Host";
}

struct FaultCase {
  std::string bytes;
  HttpFault fault;
};

void expect_faults(const std::vector<FaultCase>& cases) {
  for (const FaultCase& c : cases) {
    const Outcome o = parse_whole(c.bytes);
    EXPECT_EQ(o.state, HeadState::kFault) << c.bytes;
    EXPECT_STREQ(fault_info(o.fault).text, fault_info(c.fault).text) << c.bytes;
    expect_same_however_cut(c.bytes);
  }
}

// threats-and-faults 3.4, first row.
TEST(Http1Request, RefusesAmbiguousFraming) {
  using enum HttpFault;
  expect_faults({
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked"), kLengthAndCoding},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5"), kLengthAndCoding},
      {with("Transfer-Encoding: gzip\r\nContent-Length: 5"), kLengthAndCoding},
      {with("Content-Length: x\r\nTransfer-Encoding: chunked"), kLengthAndCoding},
      {with("Content-Length: 5\r\nContent-Length: 6"), kDuplicateLength},
      {with("Content-Length: 5\r\ncontent-length: 5"), kDuplicateLength},
      {with("Content-Length: 5, 5"), kBadLength},
      {with("Content-Length:"), kBadLength},
      {with("Content-Length: +5"), kBadLength},
      {with("Content-Length: -5"), kBadLength},
      {with("Content-Length: 0x5"), kBadLength},
      {with("Content-Length: 5 5"), kBadLength},
      {with("Content-Length: 5_0"), kBadLength},
      {with("Content-Length: 5.0"), kBadLength},
      {with("Content-Length: \"5\""), kBadLength},
      {with("Content-Length: 18446744073709551616"), kBadLength},
      {with("Content-Length: 99999999999999999999999999"), kBadLength},
      {with("Transfer-Encoding: chunked, chunked"), kBadTransferEncoding},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), kBadTransferEncoding},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), kBadTransferEncoding},
      {with("Transfer-Encoding: chunked, gzip"), kBadTransferEncoding},
      {with("Transfer-Encoding: chunked;a=b"), kBadTransferEncoding},
      {with("Transfer-Encoding: \"chunked\""), kBadTransferEncoding},
      {with("Transfer-Encoding: ,chunked"), kBadTransferEncoding},
      {with("Transfer-Encoding: chunked,"), kBadTransferEncoding},
      {with("Transfer-Encoding:"), kBadTransferEncoding},
      {with("Transfer-Encoding: gzip, chunked"), kUnknownTransferCoding},
      {with("Transfer-Encoding: gzip"), kUnknownTransferCoding},
      {with("Transfer-Encoding: identity"), kUnknownTransferCoding},
      {with("Transfer-Encoding: xchunked"), kUnknownTransferCoding},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", kTransferEncodingIn10},
      {with("Transfer-Encoding: \x0b"
            "chunked"),
       kControlByte},
      {with("Transfer-Encoding: chunked\x80"), kBadTransferEncoding},
      {with("Transfer\x80-Encoding: chunked"), kBadFieldName},
  });
}

// Second row.
TEST(Http1Request, RefusesWhatIsNotAField) {
  using enum HttpFault;
  expect_faults({
      {with("A: b\nContent-Length: 5"), kBareLf},
      {"GET / HTTP/1.1\nHost: a\n\n", kBareLf},
      {"\nGET / HTTP/1.1\r\n", kBareLf},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", kBareLf},
      {with("A: b\rContent-Length: 5"), kBareCr},
      {with("A: b\r\r\nC: d"), kBareCr},
      {"GET / HTTP/1.1\r\nHost: a\r\n\rX", kBareCr},
      {with("A: b\0c"sv), kNul},
      {with("A\0: b"sv), kNul},
      {"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, kNul},
      {with("A: b\x01"), kControlByte},
      {with("A: \x1b[2J"), kControlByte},
      {with("A: b\x7f"), kControlByte},
      {with("A: b\x08"), kControlByte},
      {with("A: b\r\n c"), kObsFold},
      {with("A: b\r\n\tc"), kObsFold},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", kObsFold},
      {with("A : b"), kSpaceBeforeColon},
      {with("Transfer-Encoding\t: chunked"), kSpaceBeforeColon},
      {with("A b: c"), kSpaceBeforeColon},
      {with(": b"), kEmptyFieldName},
      {with("A(: b"), kBadFieldName},
      {with("A\x80: b"), kBadFieldName},
      {with("\"A\": b"), kBadFieldName},
      {with("A/B: c"), kBadFieldName},
      {with("Content_Length=5"), kBadFieldName},
      {with("NoColon"), kFieldWithoutColon},
      {with("Authorization: Bearer a\r\nAuthorization: Bearer b"), kDuplicateField},
      {with("X-Api-Key: a\r\nx-api-key: a"), kDuplicateField},
      {with("X-Provider-API-Keys: {}\r\nX-Provider-API-Keys: {}"), kDuplicateField},
      {with("Content-Type: a/b\r\nContent-Type: a/b"), kDuplicateField},
      {with("Content-Encoding: identity\r\nContent-Encoding: gzip"), kDuplicateField},
      {with("Expect: 100-continue\r\nExpect: 100-continue"), kUnknownExpectation},
      {with("Expect: 100-continue, x"), kUnknownExpectation},
      {with("Expect:"), kUnknownExpectation},
      {with("Expect: 200-ok"), kUnknownExpectation},
  });
}

// Third row.
TEST(Http1Request, RefusesOddHosts) {
  using enum HttpFault;
  expect_faults({
      {"GET / HTTP/1.1\r\n\r\n", kMissingHost},
      {"GET / HTTP/1.1\r\nX-Host: a\r\n\r\n", kMissingHost},
      {"GET http://a/ HTTP/1.1\r\n\r\n", kMissingHost},
      {with("Host: a"), kDuplicateHost},
      {with("hOST: b"), kDuplicateHost},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", kDuplicateHost},
      {with_host(""), kBadHost},
      {with_host("a b"), kBadHost},
      {with_host("a,b"), kBadHost},
      {with_host("a/b"), kBadHost},
      {with_host("a?b"), kBadHost},
      {with_host("a#b"), kBadHost},
      {with_host("a%00"), kBadHost},
      {with_host("a\\b"), kBadHost},
      {with_host("http://a"), kBadHost},
      {with_host("a:"), kBadHost},
      {with_host(":80"), kBadHost},
      {with_host("a:80:80"), kBadHost},
      {with_host("a:+80"), kBadHost},
      {with_host("a:b"), kBadHost},
      {with_host("a:8b"), kBadHost},
      {with_host("a:65536"), kBadHost},
      {with_host("a:000080"), kBadHost},
      {with_host("[::1"), kBadHost},
      {with_host("[]"), kBadHost},
      {with_host("[::1]x"), kBadHost},
      {with_host("[::1%25eth0]"), kBadHost},
      {with_host("::1"), kBadHost},
      {with_host("b\xc3\xbc"
                 "cher.example"),
       kBadHost},
      {with_host("user@a"), kUserinfo},
      {with_host("a:80@b"), kUserinfo},
      {with_target("http://u:p@a/"), kUserinfo},
      {with_target("http://b/"), kHostMismatch},
      {with_target("http://a:80/"), kHostMismatch},
      {with_target("http://a.evil/"), kHostMismatch},
      {"CONNECT b:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", kHostMismatch},
  });
}

TEST(Http1Request, RefusesMalformedRequestLines) {
  using enum HttpFault;
  const auto line = [](std::string_view text) { return std::string(text) + "\r\nHost: a\r\n\r\n"; };
  expect_faults({
      {line(" GET / HTTP/1.1"), kBadRequestLine},
      {line("GET"), kBadRequestLine},
      {line("GET "), kBadRequestLine},
      {line("GET  / HTTP/1.1"), kBadRequestLine},
      {line("G(T / HTTP/1.1"), kBadMethod},
      {line("GET\t/ HTTP/1.1"), kBadMethod},
      {line("GET: / HTTP/1.1"), kBadMethod},
      {line("G\xc3\x89T / HTTP/1.1"), kBadMethod},
      {line("GET /"), kHttp09},
      {line("GET /\t HTTP/1.1"), kBadTarget},
      {line("GET \t/ HTTP/1.1"), kBadTarget},
      {line("GET /\xc3\xa9 HTTP/1.1"), kBadTarget},
      {line("GET \xc3\xa9 HTTP/1.1"), kBadTarget},
      {line("GET /a#b HTTP/1.1"), kBadTarget},
      {line("GET v1/models HTTP/1.1"), kBadTarget},
      {line("GET * HTTP/1.1"), kBadTarget},
      {line("GET ftp://a/ HTTP/1.1"), kBadTarget},
      {line("GET http:/a/ HTTP/1.1"), kBadTarget},
      {line("GET http:///v1 HTTP/1.1"), kBadTarget},
      {line("GET http://a b/ HTTP/1.1"), kBadVersion},
      {line("CONNECT / HTTP/1.1"), kBadTarget},
      {line("GET / "), kBadVersion},
      {line("GET / /x HTTP/1.1"), kBadVersion},
      {line("GET /  HTTP/1.1"), kBadVersion},
      {line("GET / HTTP/1.1 "), kBadVersion},
      {line("GET / http/1.1"), kBadVersion},
      {line("GET / HTTP/11"), kBadVersion},
      {line("GET / HTTP/1.10"), kBadVersion},
      {line("GET / HTTP/1,1"), kBadVersion},
      {line("GET / HTTPS/1.1"), kBadVersion},
      {line("GET / HTTP/2.0"), kUnsupportedVersion},
      {line("GET / HTTP/1.2"), kUnsupportedVersion},
      {line("GET / HTTP/0.9"), kUnsupportedVersion},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", kUnsupportedVersion},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", kBadRequestLine},
      // A TLS hello on a plain port.
      {"\x16\x03\x01\x02"s, kControlByte},
  });
}

TEST(Http1Request, TakesOneEmptyLineBeforeTheRequest) {
  const std::string bytes = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const Outcome o = parse_whole(bytes);
  EXPECT_EQ(o.state, HeadState::kComplete);
  EXPECT_EQ(o.head_bytes, bytes.size()) << "the empty line is of the head";
  EXPECT_EQ(o.path, "/");
  expect_same_however_cut(bytes);
}

TEST(Http1Request, KeepsItsLimitsToTheByte) {
  using enum HttpFault;
  const HeadLimits limits{.head_bytes_max = 200, .line_bytes_max = 60, .fields_max = 4};
  const auto check = [&](const std::string& bytes, HttpFault fault) {
    const Outcome o = parse_whole(bytes, limits);
    EXPECT_EQ(o.state, fault == kNone ? HeadState::kComplete : HeadState::kFault) << bytes;
    EXPECT_EQ(o.fault, fault) << bytes;
    expect_same_however_cut(bytes, limits);
  };
  const auto target = [](std::size_t line_size) {
    return with_target("/" + std::string(line_size - 14, 't'));  // "GET /" and " HTTP/1.1"
  };
  check(target(60), kNone);
  check(target(61), kRequestLineTooLong);
  check(with_host("a\r\nB: " + std::string(57, 'v')), kNone);
  check(with_host("a\r\nB: " + std::string(58, 'v')), kFieldLineTooLong);
  check(with_host("a\r\nB: 1\r\nB: 2\r\nB: 3"), kNone);
  check(with_host("a\r\nB: 1\r\nB: 2\r\nB: 3\r\nB: 4"), kTooManyFields);
  const auto head = [](std::size_t size) {
    const std::string field = "B: " + std::string(55, 'v') + "\r\n";
    const std::string frame = with_host("a\r\n" + field + field + "B: ");
    return with_host("a\r\n" + field + field + "B: " + std::string(size - frame.size(), 'v'));
  };
  ASSERT_EQ(head(200).size(), 200u);
  check(head(200), kNone);
  check(head(201), kHeadTooLarge);
  EXPECT_EQ(parse_whole(head(201).substr(0, 199), limits).state, HeadState::kNeedMore);
  EXPECT_EQ(parse_whole(head(201).substr(0, 200), limits).fault, kHeadTooLarge) << "at once";
}

TEST(Http1Request, KnowsOfAnExcessBeforeTheHeadEnds) {
  EXPECT_EQ(parse_whole("GET /" + std::string(8 * 1024, 'x')).fault,
            HttpFault::kRequestLineTooLong);
  EXPECT_EQ(parse_whole("GET / HTTP/1.1\r\nA: " + std::string(8 * 1024, 'x')).fault,
            HttpFault::kFieldLineTooLong);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i <= 100; ++i) many += "A: b\r\n";
  EXPECT_EQ(parse_whole(many).fault, HttpFault::kTooManyFields);
  std::string large = "GET / HTTP/1.1\r\n";
  while (large.size() < 32 * 1024) large += "A: " + std::string(4096, 'x') + "\r\n";
  EXPECT_EQ(parse_whole(large).fault, HttpFault::kHeadTooLarge);
  EXPECT_EQ(parse_whole("GET /\r\n").fault, HttpFault::kHttp09) << "such a client sends no more";
}

TEST(Http1Request, TakesTheLargestHead) {
  const HeadLimits limits{kHeadBytesMax, kHeadBytesMax, 100};
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nB: ";
  const std::string end = "\r\nX-Session-Id: last\r\n\r\n";
  const std::string bytes =
      start + std::string(kHeadBytesMax - start.size() - end.size(), 'v') + end;
  const Outcome o = parse_whole(bytes, limits);
  EXPECT_EQ(o.state, HeadState::kComplete);
  ASSERT_EQ(o.fields.size(), 3u);
  EXPECT_EQ(o.fields[1].second.size(), kHeadBytesMax - start.size() - end.size());
  EXPECT_EQ(o.fields[2], (std::pair<std::string, std::string>("X-Session-Id", "last")));
}

TEST(Http1Request, ParsesTheNextHeadOnTheSameConnection) {
  RequestParser parser;
  RequestHead head;
  const std::string_view first = "GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n";
  EXPECT_TRUE(parser.parse(first.substr(0, 30), head).need_more());
  EXPECT_TRUE(parser.parse(first, head).complete());
  EXPECT_EQ(head.content_length, 1u);
  const HeadStatus second = parser.parse("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n", head);
  ASSERT_TRUE(second.complete());
  EXPECT_EQ(head.path, "/2");
  EXPECT_EQ(head.host, "b");
  EXPECT_EQ(head.content_length, std::nullopt) << "nothing is left of the head before";
  EXPECT_EQ(head.fields.size(), 1u);
  EXPECT_FALSE(head.fields.has(KnownField::kContentLength));
}

TEST(Http1Request, AnswersFaultsByTheirTable) {
  using enum HttpFault;
  const std::pair<HttpFault, int> statuses[] = {
      {kLengthAndCoding, 400},    {kUnknownTransferCoding, 501}, {kRequestLineTooLong, 414},
      {kFieldLineTooLong, 431},   {kHeadTooLarge, 431},          {kTooManyFields, 431},
      {kUnknownExpectation, 417}, {kMethodRefused, 405},         {kEncodedBody, 415},
      {kUnsupportedVersion, 505}, {kMissingHost, 400},           {kBareLf, 400},
  };
  for (const auto& [fault, status] : statuses) {
    EXPECT_EQ(fault_info(fault).status, status) << fault_info(fault).text;
  }
  for (const HttpFault fault : {kLengthAndCoding, kDuplicateLength, kBadLength,
                                kBadTransferEncoding, kTransferEncodingIn10, kBadChunkSize}) {
    EXPECT_STREQ(fault_info(fault).name, "bad_framing");
  }
  const Error error = to_error(kBareLf, Source::kDownstream);
  EXPECT_EQ(error.code, Code::kProtocol);
  EXPECT_EQ(error.retry, Retry::kNever);
  EXPECT_EQ(to_error(kBareLf, Source::kUpstream).retry, Retry::kOtherUpstream);
}

}  // namespace
}  // namespace leat::proto
