// SPDX-License-Identifier: Apache-2.0
#include "control/conversation_state.h"

#include <algorithm>
#include <type_traits>

#include "base/check.h"
#include "ledger/crc32c.h"

namespace leat::control {
namespace {

using policy::HeldConversation;
using policy::StickyTable;

constexpr std::string_view kMagic = "leat-cnv";
constexpr std::size_t kHeadBytes = 24;
constexpr std::size_t kCrcBytes = 4;
constexpr std::int64_t kMillisecond = 1'000'000;
static_assert(kHeadBytes + kCrcBytes + kKeptConversationsMax * kConversationBytes ==
              kConversationStateBytesMax);

template <class Int>
void put(std::string& to, Int value) {
  const auto rest = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = 0; i < sizeof(Int); ++i) to.push_back(static_cast<char>(rest >> (8 * i)));
}

// REQUIRES: there are as many.
template <class Int>
Int take(std::string_view& from) {
  std::make_unsigned_t<Int> value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    value |= static_cast<decltype(value)>(static_cast<std::uint8_t>(from[i])) << (8 * i);
  }
  from.remove_prefix(sizeof(Int));
  return static_cast<Int>(value);
}

std::unexpected<Error> refused(const char* what) {
  return fail({.code = Code::kInvalid, .source = Source::kInternal, .what = what});
}

}  // namespace

std::string write_conversations(std::span<const HeldConversation> held, Instant now,
                                WallTime wall) {
  LEAT_CHECK(held.size() <= kKeptConversationsMax);
  std::string bytes;
  bytes.reserve(kHeadBytes + held.size() * kConversationBytes + kCrcBytes);
  bytes += kMagic;
  put(bytes, kConversationStateVersion);
  put(bytes, static_cast<std::uint32_t>(held.size()));
  put(bytes, wall.unix_ns);
  for (const HeldConversation& each : held) {
    put(bytes, each.key.high);
    put(bytes, each.key.low);
    put(bytes, each.identity);
    const std::int64_t age =
        std::clamp((now - each.used).ns, std::int64_t{0}, StickyTable::kIdleMax.ns);
    put(bytes, static_cast<std::uint32_t>(age / kMillisecond));
  }
  put(bytes, ledger::crc32c(0, bytes));
  return bytes;
}

Result<std::vector<HeldConversation>> read_conversations(std::string_view bytes, Instant now,
                                                         WallTime wall) {
  if (bytes.size() < kHeadBytes + kCrcBytes || !bytes.starts_with(kMagic)) {
    return refused("holds no conversations");
  }
  std::string_view crc = bytes.substr(bytes.size() - kCrcBytes);
  std::string_view rest = bytes.substr(0, bytes.size() - kCrcBytes);
  if (take<std::uint32_t>(crc) != ledger::crc32c(0, rest)) return refused("is damaged");
  rest.remove_prefix(kMagic.size());
  if (take<std::uint32_t>(rest) != kConversationStateVersion) {
    return refused("is of another version");
  }
  const auto count = take<std::uint32_t>(rest);
  const auto written = take<std::int64_t>(rest);
  if (count > kKeptConversationsMax || rest.size() != count * kConversationBytes) {
    return refused("does not hold together");
  }
  const bool is_ahead = written < 0 || written >= wall.unix_ns;
  const std::int64_t elapsed = is_ahead ? 0 : wall.unix_ns - written;
  std::vector<HeldConversation> held;
  held.reserve(count);
  while (!rest.empty()) {
    HeldConversation each;
    each.key.high = take<std::uint64_t>(rest);
    each.key.low = take<std::uint64_t>(rest);
    each.identity = take<std::uint64_t>(rest);
    const std::int64_t age = take<std::uint32_t>(rest) * kMillisecond;
    if (each.identity == 0) return refused("does not hold together");
    if (elapsed >= StickyTable::kIdleMax.ns || age + elapsed >= StickyTable::kIdleMax.ns) continue;
    each.used = now - Duration{age + elapsed};
    held.push_back(each);
  }
  return held;
}

}  // namespace leat::control
