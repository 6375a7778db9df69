// SPDX-License-Identifier: Apache-2.0
// The first line of the input is a traceparent, the rest a tracestate. What is accepted is written
// as version 00 and read again as the same; what is passed on is within bounds and goes through
// unchanged a second time.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "proto/http1_write.h"
#include "proto/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace leat::proto;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\n'), text.size());
  if (const auto parent = parse_traceparent(text.substr(0, end))) {
    std::array<char, TraceParent::kTextBytes> room;
    const std::string_view written = write_traceparent(*parent, room);
    LEAT_CHECK(written.substr(3, 49) == text.substr(3, 49));
    LEAT_CHECK(parse_traceparent(written) == parent);
  }
  const std::string state = bounded_tracestate(text.substr(std::min(end + 1, text.size())));
  LEAT_CHECK(state.size() <= kTracestateBytesMax);
  LEAT_CHECK(std::count(state.begin(), state.end(), ',') < std::ptrdiff_t{kTracestateMembersMax});
  LEAT_CHECK(state.empty() || is_safe_field_value(state));
  LEAT_CHECK(bounded_tracestate(state) == state);
  return 0;
}
