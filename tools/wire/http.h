// SPDX-License-Identifier: Apache-2.0
// As much HTTP/1.1 (RFC 9112) as the load tools need: heads, and bodies by length, in chunks or
// until the end of the connection. Takes what a sane peer sends and calls all else broken. Written
// apart from src/proto on purpose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat::tools {

struct Head {
  std::string method;  // of a request
  std::string target;
  int status = 0;  // of an answer
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool close = false;
  bool expects_continue = false;
  bool event_stream = false;
};

// Where a head ends within `bytes` (past the blank line); npos if it is not complete.
std::size_t head_end(std::string_view bytes);

// Parses a complete head. nullopt: broken.
std::optional<Head> parse_request_head(std::string_view bytes);
std::optional<Head> parse_answer_head(std::string_view bytes);

// Takes the framing off a body as it comes in.
class Body {
 public:
  enum class State { kMore, kDone, kBroken };

  void begin(const Head& head, bool until_close_allowed);

  // Consumes from the front of `bytes`; what `payload` then holds is the next piece of the body, a
  // view into `bytes`. Call until `bytes` is empty or the state is not kMore.
  State next(std::string_view& bytes, std::string_view& payload);

  // What the end of the connection means for this body.
  State at_end_of_connection() const;

 private:
  enum class Mode { kLength, kChunkSize, kChunkData, kChunkEnd, kTrailers, kUntilClose, kDone };

  State read_size_line(std::string_view& bytes);
  State read_line_end(std::string_view& bytes);

  Mode mode_ = Mode::kDone;
  std::uint64_t left_ = 0;
  std::string line_;  // a size or trailer line that came in pieces
};

}  // namespace leat::tools
