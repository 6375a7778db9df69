// SPDX-License-Identifier: Apache-2.0
// The first byte of the input steers the cuts, the rest is what a provider sends. Parsed whole, by
// the scalar scan, byte by byte and in pseudo-random slices, it must give the same outcome, and an
// accepted head says in one way only how its body ends.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "head_outcome.h"
#include "proto/http1_response.h"
#include "proto/http1_scan.h"

namespace {

using namespace leat::proto;
using leat::proto::fuzz::Outcome;

std::string digest_of(const ResponseHead& head) {
  const int ways = head.chunked + head.until_close + head.content_length.has_value();
  LEAT_CHECK(ways == (head.has_no_body() ? 0 : 1));
  LEAT_CHECK(head.status >= 100 && head.status <= 599 && head.status != 101);
  LEAT_CHECK(!(head.until_close && head.keep_alive));
  LEAT_CHECK(!(head.http10 && head.chunked));
  std::string digest = std::to_string(head.status);
  for (const bool flag : {head.http10, head.keep_alive, head.chunked, head.until_close}) {
    digest += flag ? '1' : '0';
  }
  if (head.content_length) digest += std::to_string(*head.content_length);
  for (const std::string_view text : {head.content_type, head.content_encoding, head.retry_after,
                                      head.retry_after_ms, head.x_request_id, head.location}) {
    digest += '\n';
    digest += text;
  }
  return digest;
}

template <class Scan, class NextSize>
Outcome parse(std::string_view bytes, NextSize next_size) {
  return fuzz::parse_in_slices<BasicResponseParser<Scan>, ResponseHead>(bytes, next_size,
                                                                        digest_of);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto all = [&] { return bytes.size(); };
  const Outcome whole = parse<Avx2Scan>(bytes, all);
  fuzz::check_accepted(bytes, whole);
  LEAT_CHECK(parse<ScalarScan>(bytes, all) == whole);
  leat::Rng rng(data[0]);
  LEAT_CHECK(parse<Avx2Scan>(bytes, [&] { return 1 + rng.below(64); }) == whole);
  if (bytes.size() <= 512) LEAT_CHECK(parse<Avx2Scan>(bytes, [] { return 1; }) == whole);
  return 0;
}
