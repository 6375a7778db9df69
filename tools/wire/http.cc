// SPDX-License-Identifier: Apache-2.0
#include "wire/http.h"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace leat::tools {
namespace {

constexpr std::size_t kLineMax = 16 * 1024;  // of a chunk-size or trailer line

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool take_field(Head& head, std::string_view name, std::string_view value) {
  if (same(name, "content-length")) {
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (error != std::errc() || end != value.data() + value.size()) return false;
    if (head.content_length && *head.content_length != length) return false;
    head.content_length = length;
  } else if (same(name, "transfer-encoding")) {
    if (!same(value, "chunked")) return false;
    head.chunked = true;
  } else if (same(name, "connection")) {
    if (same(value, "close")) head.close = true;
  } else if (same(name, "expect")) {
    head.expects_continue = same(value, "100-continue");
  } else if (same(name, "content-type")) {
    head.event_stream = same(trimmed(value.substr(0, value.find(';'))), "text/event-stream");
  }
  return true;
}

// Takes the fields after the first line.
bool take_fields(Head& head, std::string_view fields) {
  while (true) {
    const std::size_t end = fields.find("\r\n");
    if (end == std::string_view::npos) return false;
    if (end == 0) return !(head.chunked && head.content_length);
    const std::string_view line = fields.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    if (!take_field(head, line.substr(0, colon), trimmed(line.substr(colon + 1)))) return false;
    fields.remove_prefix(end + 2);
  }
}

}  // namespace

std::size_t head_end(std::string_view bytes) {
  const std::size_t blank = bytes.find("\r\n\r\n");
  return blank == std::string_view::npos ? blank : blank + 4;
}

std::optional<Head> parse_request_head(std::string_view bytes) {
  Head head;
  const std::size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos) return std::nullopt;
  const std::string_view line = bytes.substr(0, line_end);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  if (line.substr(last + 1) == "HTTP/1.0")
    head.close = true;
  else if (line.substr(last + 1) != "HTTP/1.1")
    return std::nullopt;
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  if (!take_fields(head, bytes.substr(line_end + 2))) return std::nullopt;
  return head;
}

std::optional<Head> parse_answer_head(std::string_view bytes) {
  Head head;
  const std::size_t line_end = bytes.find("\r\n");
  if (line_end == std::string_view::npos || line_end < 12) return std::nullopt;
  if (!bytes.starts_with("HTTP/1.1 ")) return std::nullopt;
  const auto [end, error] = std::from_chars(bytes.data() + 9, bytes.data() + 12, head.status);
  if (error != std::errc() || end != bytes.data() + 12 || head.status < 100) return std::nullopt;
  if (!take_fields(head, bytes.substr(line_end + 2))) return std::nullopt;
  return head;
}

void Body::begin(const Head& head, bool until_close_allowed) {
  line_.clear();
  left_ = 0;
  if (head.chunked) {
    mode_ = Mode::kChunkSize;
  } else if (head.content_length) {
    left_ = *head.content_length;
    mode_ = left_ == 0 ? Mode::kDone : Mode::kLength;
  } else {
    mode_ = until_close_allowed ? Mode::kUntilClose : Mode::kDone;
  }
}

Body::State Body::read_size_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    line_ += bytes;
    bytes = {};
    return line_.size() > kLineMax ? State::kBroken : State::kMore;
  }
  line_ += bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  const auto [stop, error] = std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
  const std::string_view rest(stop, static_cast<std::size_t>(line_.data() + line_.size() - stop));
  const bool good = error == std::errc() && (rest == "\r" || rest.starts_with(";"));
  line_.clear();
  if (!good) return State::kBroken;
  mode_ = left_ == 0 ? Mode::kTrailers : Mode::kChunkData;
  return State::kMore;
}

// The line end after a chunk's data, and the trailers up to the blank line.
Body::State Body::read_line_end(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos) {
    line_ += bytes;
    bytes = {};
    return line_.size() > kLineMax ? State::kBroken : State::kMore;
  }
  line_ += bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  const bool blank = line_ == "\r";
  line_.clear();
  if (mode_ == Mode::kChunkEnd) {
    mode_ = Mode::kChunkSize;
    return blank ? State::kMore : State::kBroken;
  }
  if (!blank) return State::kMore;
  mode_ = Mode::kDone;
  return State::kDone;
}

Body::State Body::next(std::string_view& bytes, std::string_view& payload) {
  payload = {};
  switch (mode_) {
    case Mode::kDone:
      return State::kDone;
    case Mode::kUntilClose:
      payload = bytes;
      bytes = {};
      return State::kMore;
    case Mode::kChunkSize:
      return read_size_line(bytes);
    case Mode::kChunkEnd:
    case Mode::kTrailers:
      return read_line_end(bytes);
    case Mode::kLength:
    case Mode::kChunkData:
      break;
  }
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  payload = bytes.substr(0, size);
  bytes.remove_prefix(size);
  left_ -= size;
  if (left_ > 0) return State::kMore;
  if (mode_ == Mode::kChunkData) {
    mode_ = Mode::kChunkEnd;
    return State::kMore;
  }
  mode_ = Mode::kDone;
  return State::kDone;
}

Body::State Body::at_end_of_connection() const {
  return mode_ == Mode::kDone || mode_ == Mode::kUntilClose ? State::kDone : State::kBroken;
}

}  // namespace leat::tools
