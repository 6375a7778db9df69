// SPDX-License-Identifier: Apache-2.0
#include "proto/http1_framing.h"

#include "proto/http1_bytes.h"
#include "proto/http1_write.h"

namespace leat::proto {
namespace {

// 1*DIGIT within 64 bits, and nothing else: no sign, no list, no white space.
std::optional<std::uint64_t> parse_length(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(static_cast<unsigned char>(c))) return std::nullopt;
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value)) {
      return std::nullopt;
    }
  }
  return value;
}

// For a value that is not simply "chunked", so that some coding in it is another. A list of codings
// we do not know is 501; a list that no sender may send, `chunked` twice, not last or with
// parameters, is 400.
HttpFault judge_codings(std::string_view value) {
  while (value.data() != nullptr) {
    const std::string_view coding = next_element(value);
    if (!is_token(coding)) return HttpFault::kBadTransferEncoding;
    const bool last = value.data() == nullptr;
    if (!last && equal_ignoring_case(coding, "chunked")) return HttpFault::kBadTransferEncoding;
  }
  return HttpFault::kUnknownTransferCoding;
}

}  // namespace

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view next_element(std::string_view& rest) {
  const std::size_t comma = rest.find(',');
  const std::string_view element = rest.substr(0, comma);
  rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
  return trim(element);
}

void Framing::content_length(std::string_view value) {
  if (length_seen_) note(HttpFault::kDuplicateLength);
  length_seen_ = true;
  length_ = parse_length(value);
  if (!length_) note(HttpFault::kBadLength);
}

void Framing::transfer_encoding(std::string_view value) {
  if (coding_seen_) note(HttpFault::kBadTransferEncoding);
  coding_seen_ = true;
  chunked_ = equal_ignoring_case(value, "chunked");
  if (!chunked_) note(judge_codings(value));
}

void Framing::connection(std::string_view value) {
  while (value.data() != nullptr) {
    const std::string_view option = next_element(value);
    if (equal_ignoring_case(option, "close")) close_ = true;
    if (equal_ignoring_case(option, "keep-alive")) keep_alive_ = true;
  }
}

HttpFault Framing::fault(bool http10) const {
  if (length_seen_ && coding_seen_) return HttpFault::kLengthAndCoding;
  if (http10 && coding_seen_) return HttpFault::kTransferEncodingIn10;
  return first_fault_;
}

}  // namespace leat::proto
