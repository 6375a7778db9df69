// SPDX-License-Identifier: Apache-2.0
#include "simulation/http_reader.h"

#include <algorithm>
#include <charconv>

namespace leat::sim {

namespace {

constexpr std::size_t kHeadMax = 32 * 1024;

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool parse_number(std::string_view text, int base, std::uint64_t& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  return !text.empty() && error == std::errc() && stop == end;
}

}  // namespace

void HttpReader::fail(std::string why) {
  state_ = State::kFault;
  fault_ = std::move(why);
}

void HttpReader::feed(std::string_view bytes) {
  input_.append(bytes);
  advance();
}

bool HttpReader::is_within() const {
  if (state_ == State::kHead) return has_leftover();
  return state_ != State::kWhole && state_ != State::kFault;
}

void HttpReader::feed_end() {
  if (state_ == State::kUntilClose) {
    state_ = State::kWhole;
  } else if (is_within()) {
    fail("the connection ended within a message");
  }
}

void HttpReader::next() {
  state_ = State::kHead;
  start_line_.clear();
  fields_.clear();
  body_.clear();
  status_ = 0;
  consumed_ += at_;
  input_.erase(0, at_);
  at_ = 0;
  begin_ = consumed_;
  advance();
}

std::string_view HttpReader::field(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key == name) return value;
  }
  return {};
}

bool HttpReader::keeps_alive() const {
  return field("connection") != "close" && state_ != State::kUntilClose &&
         start_line_.find("HTTP/1.1") != std::string::npos;
}

bool HttpReader::read_line(std::string_view& line) {
  const std::size_t end = input_.find("\r\n", at_);
  if (end == std::string::npos) {
    if (input_.size() - at_ > kHeadMax) fail("a line without end");
    return false;
  }
  line = std::string_view(input_).substr(at_, end - at_);
  at_ = end + 2;
  return true;
}

void HttpReader::advance() {
  std::string_view line;
  while (state_ != State::kWhole && state_ != State::kFault) {
    const std::size_t have = input_.size() - at_;
    switch (state_) {
      case State::kHead:
        if (!read_head()) return;
        break;
      case State::kLength:
      case State::kChunkData:
      case State::kUntilClose:
        if (state_ == State::kUntilClose) left_ = have;
        take(static_cast<std::size_t>(std::min<std::uint64_t>(left_, have)));
        if (state_ == State::kUntilClose || left_ > 0) return;
        state_ = state_ == State::kLength ? State::kWhole : State::kChunkEnd;
        break;
      case State::kChunkEnd:
        if (have < 2) return;
        if (input_.compare(at_, 2, "\r\n") != 0) return fail("a chunk does not end with CRLF");
        at_ += 2;
        state_ = State::kChunkSize;
        break;
      case State::kChunkSize:
        if (!read_line(line)) return;
        if (!parse_number(line, 16, left_)) return fail("a bad chunk size");
        state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
        break;
      case State::kTrailer:
        if (!read_line(line)) return;
        if (!line.empty()) return fail("a trailer");
        state_ = State::kWhole;
        break;
      case State::kWhole:
      case State::kFault:
        return;
    }
  }
}

void HttpReader::take(std::size_t count) {
  body_.append(input_, at_, count);
  at_ += count;
  left_ -= count;
}

bool HttpReader::read_head() {
  const std::size_t end = input_.find("\r\n\r\n", at_);
  if (end == std::string::npos) {
    if (input_.size() - at_ > kHeadMax) fail("a head without end");
    return false;
  }
  const std::string head = input_.substr(at_, end + 2 - at_);
  at_ = end + 4;
  const std::size_t first = head.find("\r\n");
  start_line_ = head.substr(0, first);
  fields_.clear();
  if (kind_ == Kind::kResponse) {
    std::uint64_t status = 0;
    if (!start_line_.starts_with("HTTP/1.1 ") || start_line_.size() < 12 ||
        !parse_number(std::string_view(start_line_).substr(9, 3), 10, status)) {
      fail("a bad status line");
      return false;
    }
    status_ = static_cast<int>(status);
  }
  if (!parse_fields(std::string_view(head).substr(first + 2))) return false;
  choose_framing();
  return state_ != State::kFault;
}

bool HttpReader::parse_fields(std::string_view lines) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) {
      fail("a field without a name");
      return false;
    }
    std::string name(line.substr(0, colon));
    if (!std::all_of(name.begin(), name.end(), is_token_char)) {
      fail("a bad field name");
      return false;
    }
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos ||
        !field(name).empty()) {
      fail("a bad or repeated field: " + name);
      return false;
    }
    fields_.emplace_back(std::move(name), std::string(value));
  }
  return true;
}

void HttpReader::choose_framing() {
  const std::string_view length = field("content-length");
  const std::string_view coding = field("transfer-encoding");
  if (!length.empty() && !coding.empty()) return fail("both a length and a coding");
  const bool is_bodyless = kind_ == Kind::kResponse && (status_ / 100 == 1 || status_ == 204);
  if (!coding.empty()) {
    if (coding != "chunked") return fail("an unknown coding");
    state_ = State::kChunkSize;
  } else if (!length.empty()) {
    if (!parse_number(length, 10, left_)) return fail("a bad length");
    state_ = left_ > 0 ? State::kLength : State::kWhole;
  } else if (is_bodyless || kind_ == Kind::kRequest) {
    state_ = State::kWhole;
  } else {
    state_ = State::kUntilClose;
  }
}

}  // namespace leat::sim
