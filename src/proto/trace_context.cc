// SPDX-License-Identifier: Apache-2.0
#include "proto/trace_context.h"

#include <algorithm>
#include <vector>

namespace leat::proto {

namespace {

constexpr std::size_t kLongMemberBytes = 128;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;  // upper case is not valid (2.2.2)
  return -1;
}

// False: not two digits for each byte.
bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return true;
}

bool is_zero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0; });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// key "=" value, of the bytes that those may have; what stands in either is its vendor's matter.
bool is_member(std::string_view member) {
  const std::size_t equals = member.find('=');
  if (equals == 0 || equals == std::string_view::npos || equals + 1 == member.size()) return false;
  const auto is_key = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '*' ||
           c == '/' || c == '@';
  };
  const auto is_value = [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; };
  return std::ranges::all_of(member.substr(0, equals), is_key) &&
         std::ranges::all_of(member.substr(equals + 1), is_value);
}

std::size_t bytes_of(const std::vector<std::string_view>& members) {
  std::size_t bytes = members.empty() ? 0 : members.size() - 1;
  for (const std::string_view member : members) bytes += member.size();
  return bytes;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  if (text.size() < TraceParent::kTextBytes) return std::nullopt;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceParent parent;
  if (!read_hex(text.substr(0, 2), version) || !read_hex(text.substr(3, 32), parent.trace_id) ||
      !read_hex(text.substr(36, 16), parent.span_id) || !read_hex(text.substr(53, 2), flags)) {
    return std::nullopt;
  }
  if (version[0] == 0xff || is_zero(parent.trace_id) || is_zero(parent.span_id)) {
    return std::nullopt;
  }
  if (text.size() > TraceParent::kTextBytes &&
      (version[0] == 0 || text[TraceParent::kTextBytes] != '-')) {
    return std::nullopt;
  }
  constexpr std::uint8_t kKnown = TraceParent::kSampled | TraceParent::kRandomTraceId;
  parent.flags = flags[0] & (version[0] == 0 ? kKnown : TraceParent::kSampled);
  return parent;
}

void write_hex(std::span<const std::uint8_t> bytes, char* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
}

std::string_view write_traceparent(const TraceParent& parent,
                                   std::span<char, TraceParent::kTextBytes> room) {
  constexpr std::string_view kForm = "00-                                -                -";
  kForm.copy(room.data(), kForm.size());
  write_hex(parent.trace_id, room.data() + 3);
  write_hex(parent.span_id, room.data() + 36);
  write_hex({&parent.flags, 1}, room.data() + 53);
  return {room.data(), room.size()};
}

std::string bounded_tracestate(std::string_view text) {
  std::vector<std::string_view> members;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view member = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (member.empty()) continue;  // allowed (3.3.1.1)
    if (!is_member(member)) return {};
    members.push_back(member);
  }
  // The longest ones first where there is too much; which of several, the last.
  for (std::size_t i = members.size(); i > 0 && bytes_of(members) > kTracestateBytesMax; --i) {
    if (members[i - 1].size() > kLongMemberBytes) {
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  }
  while (bytes_of(members) > kTracestateBytesMax || members.size() > kTracestateMembersMax) {
    members.pop_back();
  }
  std::string out;
  for (const std::string_view member : members) {
    if (!out.empty()) out += ',';
    out += member;
  }
  return out;
}

}  // namespace leat::proto
