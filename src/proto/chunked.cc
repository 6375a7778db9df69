// SPDX-License-Identifier: Apache-2.0
#include "proto/chunked.h"

#include <algorithm>

#include "base/check.h"
#include "proto/http1_bytes.h"

namespace leat::proto {

ChunkStep ChunkedDecoder::next(std::string_view& in) {
  while (!in.empty()) {
    if (state_ == State::kSize && digits_ == 0 && read_whole_size_line(in)) continue;
    if (state_ == State::kData) return take_data(in);
    if (state_ >= State::kEnded) break;
    const auto byte = static_cast<unsigned char>(in.front());
    const HttpFault fault = state_ < State::kTrailerStart ? framing_byte(byte) : trailer_byte(byte);
    if (fault != HttpFault::kNone) return fail_with(fault);
    in.remove_prefix(1);
  }
  if (state_ == State::kEnded) return {.kind = ChunkStep::Kind::kEnd};
  if (state_ == State::kFaulty) return fail_with(static_cast<HttpFault>(extras_));
  return {};
}

// The common size line, "1..8 digits CRLF" in one piece, without a step per byte. Anything else is
// left to framing_byte(), which is then the only judge of what is wrong.
bool ChunkedDecoder::read_whole_size_line(std::string_view& in) {
  const std::size_t digits_reach = std::min<std::size_t>(in.size(), kSizeDigitsMax);
  std::uint32_t size = 0;
  std::size_t at = 0;
  for (; at < digits_reach; ++at) {
    const int digit = hex_value(static_cast<unsigned char>(in[at]));
    if (digit < 0) break;
    size = size << 4 | static_cast<std::uint32_t>(digit);
  }
  if (size == 0 || !in.substr(at).starts_with("\r\n")) return false;
  in.remove_prefix(at + 2);
  left_ = size;
  state_ = State::kData;
  return true;
}

ChunkStep ChunkedDecoder::take_data(std::string_view& in) {
  const std::size_t size = std::min<std::size_t>(left_, in.size());
  const std::string_view data = in.substr(0, size);
  in.remove_prefix(size);
  left_ -= static_cast<std::uint32_t>(size);
  if (left_ == 0) {
    state_ = State::kDataCr;
    // The CRLF mostly came along: take it now, so that the caller sees the slice used up.
    if (in.starts_with("\r\n")) {
      in.remove_prefix(2);
      begin_size();
    }
  }
  return {.kind = ChunkStep::Kind::kData, .data = data};
}

void ChunkedDecoder::begin_size() {
  state_ = State::kSize;
  left_ = 0;
  digits_ = 0;
}

HttpFault ChunkedDecoder::framing_byte(unsigned char byte) {
  switch (state_) {
    case State::kSize:
      if (const int digit = hex_value(byte); digit >= 0) {
        if (digits_ == kSizeDigitsMax) return HttpFault::kChunkTooLarge;
        ++digits_;
        left_ = left_ << 4 | static_cast<std::uint32_t>(digit);
        return HttpFault::kNone;
      }
      if (digits_ == 0 || (byte != '\r' && byte != ';')) return HttpFault::kBadChunkSize;
      state_ = byte == '\r' ? State::kSizeLf : State::kExtension;
      return byte == '\r' ? HttpFault::kNone : count_extra();
    case State::kExtension:
      if (byte == '\r') {
        state_ = State::kSizeLf;
        return HttpFault::kNone;
      }
      return is_value_byte(byte) ? count_extra() : HttpFault::kBadChunkExtension;
    case State::kSizeLf:
      if (byte != '\n') return HttpFault::kBadChunkExtension;
      state_ = left_ == 0 ? State::kTrailerStart : State::kData;
      return HttpFault::kNone;
    case State::kDataCr:
      if (byte != '\r') return HttpFault::kBadChunkEnd;
      state_ = State::kDataLf;
      return HttpFault::kNone;
    case State::kDataLf:
      if (byte != '\n') return HttpFault::kBadChunkEnd;
      begin_size();
      return HttpFault::kNone;
    default:
      LEAT_UNREACHABLE("not a state of the framing");
  }
}

// Trailers are dropped, but they must look like fields: a line without a name and a colon here is
// more likely the start of somebody's next request.
HttpFault ChunkedDecoder::trailer_byte(unsigned char byte) {
  if (state_ == State::kLastLf) {
    if (byte != '\n') return HttpFault::kBadTrailer;
    state_ = State::kEnded;
    return HttpFault::kNone;
  }
  if (state_ == State::kTrailerStart && byte == '\r') {
    state_ = State::kLastLf;
    return HttpFault::kNone;
  }
  switch (state_) {
    case State::kTrailerStart:
      if (!is_token_byte(byte)) return HttpFault::kBadTrailer;
      state_ = State::kTrailerName;
      break;
    case State::kTrailerName:
      if (byte == ':') {
        state_ = State::kTrailerValue;
      } else if (!is_token_byte(byte)) {
        return HttpFault::kBadTrailer;
      }
      break;
    case State::kTrailerValue:
      if (byte == '\r') {
        state_ = State::kTrailerLf;
      } else if (!is_value_byte(byte)) {
        return HttpFault::kBadTrailer;
      }
      break;
    case State::kTrailerLf:
      if (byte != '\n') return HttpFault::kBadTrailer;
      state_ = State::kTrailerStart;
      break;
    default:
      LEAT_UNREACHABLE("not a state of the trailers");
  }
  return count_extra();
}

HttpFault ChunkedDecoder::count_extra() {
  return ++extras_ > kExtrasBytesMax ? HttpFault::kChunkExtrasTooLarge : HttpFault::kNone;
}

ChunkStep ChunkedDecoder::fail_with(HttpFault fault) {
  state_ = State::kFaulty;
  extras_ = static_cast<std::uint16_t>(fault);
  return {.kind = ChunkStep::Kind::kFault, .fault = fault};
}

}  // namespace leat::proto
