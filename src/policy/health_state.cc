// SPDX-License-Identifier: Apache-2.0
#include "policy/health_state.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/check.h"

namespace leat::policy {
namespace {

constexpr std::string_view kMagic = "leat-hlt";

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t rest = i;
    // The Castagnoli polynomial, bits reversed (RFC 3720, appendix B.4).
    for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = rest;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = ~0u;
  for (const std::uint8_t byte : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ byte) & 0xff];
  return ~crc;
}

enum class Window : std::uint8_t { kHalfMinute, kFiveMinutes, kHalfHour, kDay };

class Writer {
 public:
  template <class Int>
  void put(Int value) {
    auto rest = static_cast<std::make_unsigned_t<Int>>(value);
    for (std::size_t i = 0; i < sizeof(Int); ++i) {
      bytes_.push_back(static_cast<std::uint8_t>(rest >> (8 * i)));
    }
  }
  void put_at(std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i)
      bytes_[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  void put_text(std::string_view text) {
    for (const char c : text) bytes_.push_back(static_cast<std::uint8_t>(c));
  }
  std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

// Reading past the end gives zeros and is remembered.
class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : rest_(bytes) {}
  template <class Int>
  Int get() {
    if (rest_.size() < sizeof(Int)) {
      is_short_ = true;
      rest_ = {};
      return 0;
    }
    std::make_unsigned_t<Int> value = 0;
    for (std::size_t i = 0; i < sizeof(Int); ++i) {
      value = static_cast<decltype(value)>(value | (std::uint64_t{rest_[i]} << (8 * i)));
    }
    rest_ = rest_.subspan(sizeof(Int));
    return static_cast<Int>(value);
  }
  bool is_short() const { return is_short_; }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::span<const std::uint8_t> rest_;
  bool is_short_ = false;
};

void put_buckets(Writer& out, const MeasureBuckets<std::uint32_t>& buckets) {
  const auto used =
      kMeasureBuckets - static_cast<std::size_t>(std::ranges::count(buckets.counts, 0u));
  out.put(static_cast<std::uint8_t>(used));
  for (std::size_t i = 0; i < kMeasureBuckets; ++i) {
    if (buckets.counts[i] == 0) continue;
    out.put(static_cast<std::uint8_t>(i));
    out.put(buckets.counts[i]);
  }
}

bool get_buckets(Reader& in, MeasureBuckets<std::uint32_t>& buckets) {
  const auto used = in.get<std::uint8_t>();
  for (std::uint8_t i = 0; i < used; ++i) {
    const auto bucket = in.get<std::uint8_t>();
    const auto count = in.get<std::uint32_t>();
    if (bucket >= kMeasureBuckets) return false;
    buckets.counts[bucket] += count;
  }
  return true;
}

const Distributions& as_distributions(const Distributions& slot) {
  return slot;
}
Distributions as_distributions(const Counts& slot) {
  Distributions wide;
  wide.counts = slot;
  return wide;
}

template <class Of>
std::uint32_t put_window(Writer& out, Window window, const Of& of, Instant now) {
  std::uint32_t slots = 0;
  of.for_each(now, [&](Instant begin, const auto& slot) {
    const Distributions& values = as_distributions(slot);
    if (values == Distributions{}) return;
    ++slots;
    out.put(static_cast<std::uint8_t>(window));
    out.put((now - begin).ns);
    out.put(values.counts.successes);
    out.put(values.counts.failures);
    out.put(values.rate_limited);
    put_buckets(out, values.first_token);
    put_buckets(out, values.rate);
  });
  return slots;
}

template <class Of>
void add_slot(Of& window, Instant now, Duration age, const Distributions& values) {
  window.slot_at(now);
  auto* slot = window.slot_at(now - age);
  if (slot == nullptr) return;
  if constexpr (std::is_same_v<std::remove_pointer_t<decltype(slot)>, Counts>) {
    slot->merge(values.counts);
  } else {
    slot->merge(values);
  }
}

bool add_slot(EndpointWindows& windows, Window window, Instant now, Duration age,
              const Distributions& values) {
  switch (window) {
    case Window::kHalfMinute:
      add_slot(windows.half_minute, now, age, values);
      return true;
    case Window::kFiveMinutes:
      add_slot(windows.five_minutes, now, age, values);
      return true;
    case Window::kHalfHour:
      add_slot(windows.half_hour, now, age, values);
      return true;
    case Window::kDay:
      add_slot(windows.day, now, age, values);
      return true;
  }
  return false;
}

// No slot is older than a day and an hour, and no file of use older than a year.
constexpr std::int64_t kAgeMaxNs = std::int64_t{366} * 86'400 * 1'000'000'000;

bool read_endpoint(Reader& in, Instant now, Duration elapsed, EndpointWindows* windows) {
  const auto slots = in.get<std::uint32_t>();
  for (std::uint32_t i = 0; i < slots && !in.is_short(); ++i) {
    const auto window = static_cast<Window>(in.get<std::uint8_t>());
    const Duration age{in.get<std::int64_t>()};
    Distributions values;
    values.counts.successes = in.get<std::uint32_t>();
    values.counts.failures = in.get<std::uint32_t>();
    values.rate_limited = in.get<std::uint32_t>();
    if (!get_buckets(in, values.first_token) || !get_buckets(in, values.rate)) return false;
    if (age.ns < 0 || age.ns > kAgeMaxNs || window > Window::kDay) return false;
    if (windows != nullptr) add_slot(*windows, window, now, age + elapsed, values);
  }
  return !in.is_short();
}

bool read_all(Reader in, std::span<const std::pair<std::uint64_t, EndpointId>> by_identity,
              Instant now, WallTime wall, HealthBoard& board) {
  const auto endpoints = in.get<std::uint32_t>();
  const auto saved = in.get<std::int64_t>();
  // The clock may have gone back; and what is older than every window may be of any age.
  const bool is_ahead = saved < 0 || saved >= wall.unix_ns;
  const Duration elapsed{is_ahead ? 0 : std::min(wall.unix_ns - saved, kAgeMaxNs)};
  for (std::uint32_t i = 0; i < endpoints && !in.is_short(); ++i) {
    const auto identity = in.get<std::uint64_t>();
    const auto found = std::ranges::lower_bound(by_identity, std::pair{identity, EndpointId{0}});
    const bool is_known = found != by_identity.end() && found->first == identity;
    if (!read_endpoint(in, now, elapsed,
                       is_known ? &board.windows_for_restore(found->second) : nullptr)) {
      return false;
    }
  }
  return !in.is_short() && in.is_at_end();
}

std::unexpected<Error> refused(const char* what) {
  return fail({.code = Code::kInvalid, .source = Source::kInternal, .what = what});
}

}  // namespace

std::vector<std::uint8_t> write_health(const HealthBoard& board,
                                       std::span<const std::uint64_t> identities, Instant now,
                                       WallTime wall) {
  LEAT_CHECK(identities.size() == board.endpoints());
  Writer out;
  out.put_text(kMagic);
  out.put(kHealthStateVersion);
  const std::size_t count_at = out.bytes().size();
  out.put(std::uint32_t{0});
  out.put(wall.unix_ns);
  std::uint32_t endpoints = 0;
  for (EndpointId id = 0; id < identities.size(); ++id) {
    const EndpointWindows& windows = board.windows(id);
    const std::size_t begin = out.bytes().size();
    out.put(identities[id]);
    out.put(std::uint32_t{0});
    std::uint32_t slots = put_window(out, Window::kHalfMinute, windows.half_minute, now);
    slots += put_window(out, Window::kFiveMinutes, windows.five_minutes, now);
    slots += put_window(out, Window::kHalfHour, windows.half_hour, now);
    slots += put_window(out, Window::kDay, windows.day, now);
    if (slots == 0) {
      out.bytes().resize(begin);
      continue;
    }
    out.put_at(begin + 8, slots);
    ++endpoints;
  }
  out.put_at(count_at, endpoints);
  out.put(crc32c(out.bytes()));
  return std::move(out.bytes());
}

Result<void> read_health(std::span<const std::uint8_t> bytes,
                         std::span<const std::uint64_t> identities, Instant now, WallTime wall,
                         HealthBoard& board) {
  LEAT_CHECK(identities.size() == board.endpoints());
  if (bytes.size() < kMagic.size() + 8 || !std::ranges::equal(bytes.first(kMagic.size()), kMagic)) {
    return refused("not a health state");
  }
  const auto body = bytes.first(bytes.size() - 4);
  if (Reader(bytes.last(4)).get<std::uint32_t>() != crc32c(body)) {
    return refused("the health state is damaged");
  }
  Reader in(body.subspan(kMagic.size()));
  if (in.get<std::uint32_t>() != kHealthStateVersion) {
    return refused("the health state is of another version");
  }
  std::vector<std::pair<std::uint64_t, EndpointId>> by_identity;
  for (EndpointId id = 0; id < identities.size(); ++id)
    by_identity.emplace_back(identities[id], id);
  std::ranges::sort(by_identity);
  if (!read_all(in, by_identity, now, wall, board)) {
    board.forget_all();
    return refused("the health state does not hold together");
  }
  return {};
}

}  // namespace leat::policy
