// SPDX-License-Identifier: Apache-2.0
// The first byte of the input steers the cuts, the rest is what a client sends. Parsed whole, by
// the scalar scan, byte by byte and in pseudo-random slices, it must give the same outcome; an
// accepted head keeps the promises of its header, and written again it is read as the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/rng.h"
#include "head_outcome.h"
#include "proto/http1_request.h"
#include "proto/http1_scan.h"

namespace {

using namespace leat::proto;
using leat::proto::fuzz::Outcome;

std::string digest_of(const RequestHead& head) {
  LEAT_CHECK(!(head.chunked && head.content_length));
  LEAT_CHECK(!head.expect_continue || head.has_body());
  LEAT_CHECK(is_token(head.method_text));
  LEAT_CHECK(is_safe_target(head.target));
  LEAT_CHECK(head.path.find('?') == std::string_view::npos);
  LEAT_CHECK(head.http10 || !head.host.empty());
  std::string digest = std::to_string(static_cast<int>(head.method));
  for (const bool flag : {head.http10, head.keep_alive, head.chunked, head.expect_continue}) {
    digest += flag ? '1' : '0';
  }
  if (head.content_length) digest += std::to_string(*head.content_length);
  for (const std::string_view text : {head.method_text, head.target, head.path, head.host}) {
    digest += '\n';
    digest += text;
  }
  digest += '\n' + std::to_string(static_cast<int>(refusal(head)));
  return digest;
}

template <class Scan, class NextSize>
Outcome parse(std::string_view bytes, NextSize next_size) {
  return fuzz::parse_in_slices<BasicRequestParser<Scan>, RequestHead>(bytes, next_size, digest_of);
}

void check_written_again(std::string_view bytes, const Outcome& expected) {
  const auto head = std::make_unique<RequestHead>();
  LEAT_CHECK(RequestParser().parse(bytes, *head).complete());
  if (head->http10) return;  // we write 1.1
  // At most two bytes a field are added: ": " where the client left out the space.
  std::string memory(bytes.size() + 3 * FieldList::kFieldsMax, '\0');
  HeadWriter writer(memory);
  writer.request_line(head->method_text, head->target);
  for (const Field field : head->fields) writer.field(field);
  const auto written = writer.finish();
  LEAT_CHECK(written.has_value());
  const Outcome again = parse<Avx2Scan>(*written, [&] { return written->size(); });
  // Written with ": " the lines may have grown beyond their limits.
  if (again.status.state == HeadState::kFault) {
    LEAT_CHECK(fault_info(again.status.fault).status == 431);
    return;
  }
  LEAT_CHECK(again.digest == expected.digest && again.fields == expected.fields);
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
  if (whole.status.complete()) check_written_again(bytes, whole);
  return 0;
}
