// SPDX-License-Identifier: Apache-2.0
#include "gateway/request_event.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace leat::gateway {

namespace {

using ledger::RecordLimits;

// What has a fixed size, as it lies in memory: the reader is the same program.
struct Fixed {
  io::Address client;
  proto::TraceParent trace;
  RequestEvent::SpanId parent;
  std::array<Duration, RequestEvent::kAttemptsMax> attempt_total;
  Duration total;
  std::uint64_t bytes_in;
  std::uint64_t bytes_out;
  std::uint32_t shard;
  bool is_tls;
};
static_assert(std::is_trivially_copyable_v<Fixed>);
static_assert(sizeof(Fixed) + 4 * (1 + RecordLimits::kIdMax) <= 1'024);

class Writer {
 public:
  explicit Writer(std::span<char> out) : at_(out.data()) {}
  void bytes(const void* from, std::size_t size) {
    if (size != 0) std::memcpy(at_, from, size);  // of nothing there may be no address
    at_ += size;
  }
  void text(std::string_view text, std::size_t most) {
    text = text.substr(0, most);
    *at_++ = static_cast<char>(text.size());
    bytes(text.data(), text.size());
  }
  char* at() const { return at_; }

 private:
  char* at_;
};

// Whatever goes wrong leaves it at the end, and ok() false.
class Reader {
 public:
  explicit Reader(std::span<const char> bytes) : rest_(bytes) {}
  void bytes(void* to, std::size_t size) {
    const std::span<const char> from = take(size);
    if (!from.empty()) std::memcpy(to, from.data(), size);
  }
  std::string_view text() {
    const std::span<const char> size = take(1);
    if (size.empty()) return {};
    const std::span<const char> from = take(static_cast<unsigned char>(size[0]));
    return {from.data(), from.size()};
  }
  std::span<const char> rest() const { return rest_; }
  bool ok() const { return ok_; }

 private:
  std::span<const char> take(std::size_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const std::span<const char> taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  std::span<const char> rest_;
  bool ok_ = true;
};

std::uint64_t mixed(std::uint64_t x) {  // the finaliser of splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

RequestEvent::SpanId attempt_span(const RequestEvent::SpanId& request, std::size_t attempt) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, request.data(), sizeof bits);
  bits = mixed(bits + (attempt + 1) * 0x9e3779b97f4a7c15);
  if (bits == 0) bits = 1;
  RequestEvent::SpanId id;
  std::memcpy(id.data(), &bits, sizeof bits);
  return id;
}

std::size_t encode(const RequestEvent& event, std::span<char> out) {
  LEAT_DCHECK(out.size() >= kEventBytesMax);
  Fixed fixed{};
  fixed.client = event.client;
  fixed.trace = event.trace;
  fixed.parent = event.parent;
  const std::size_t attempts = event.record.attempt_count;
  for (std::size_t i = 0; i < attempts; ++i) fixed.attempt_total[i] = event.attempts[i].total;
  fixed.total = event.total;
  fixed.bytes_in = event.bytes_in;
  fixed.bytes_out = event.bytes_out;
  fixed.shard = event.shard;
  fixed.is_tls = event.is_tls;
  Writer writer(out);
  writer.bytes(&fixed, sizeof fixed);
  writer.text(event.method, RecordLimits::kIdMax);
  writer.text(event.path, RecordLimits::kIdMax);
  writer.text(event.reason, RecordLimits::kIdMax);
  for (std::size_t i = 0; i < attempts; ++i) {
    writer.text(event.attempts[i].model, RecordLimits::kNameMax);
  }
  const auto used = static_cast<std::size_t>(writer.at() - out.data());
  // The number of attempts is the record's, which is read first: its size stands at the end.
  const auto record = static_cast<std::uint32_t>(ledger::encode(event.record, out.subspan(used)));
  std::memcpy(out.data() + used + record, &record, sizeof record);
  return used + record + sizeof record;
}

Result<RequestEvent> decode_event(std::span<const char> bytes) {
  const auto invalid = fail({.code = Code::kInvalid, .what = "is no event"});
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) return invalid;
  std::memcpy(&size, bytes.data() + bytes.size() - sizeof size, sizeof size);
  bytes = bytes.first(bytes.size() - sizeof size);
  if (size > bytes.size()) return invalid;
  const auto record = ledger::decode(bytes.last(size));
  if (!record) return fail(record.error());
  RequestEvent event;
  event.record = *record;
  Reader reader(bytes.first(bytes.size() - size));
  Fixed fixed{};
  reader.bytes(&fixed, sizeof fixed);
  event.client = fixed.client;
  event.trace = fixed.trace;
  event.parent = fixed.parent;
  event.total = fixed.total;
  event.bytes_in = fixed.bytes_in;
  event.bytes_out = fixed.bytes_out;
  event.shard = fixed.shard;
  event.is_tls = fixed.is_tls;
  event.method = reader.text();
  event.path = reader.text();
  event.reason = reader.text();
  for (std::size_t i = 0; i < event.record.attempt_count; ++i) {
    event.attempts[i] = {.model = reader.text(), .total = fixed.attempt_total[i]};
  }
  if (!reader.ok() || !reader.rest().empty()) return invalid;
  return event;
}

}  // namespace leat::gateway
