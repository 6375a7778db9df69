// SPDX-License-Identifier: Apache-2.0
// HttpReader: a strict reader of HTTP/1.1 messages for the simulated clients and providers, written
// apart from src/proto on purpose: what both would get wrong alike, no test could see. It accepts
// only what our side should ever send; everything else is a fault with a reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leat::sim {

class HttpReader {
 public:
  enum class Kind : std::uint8_t { kRequest, kResponse };
  explicit HttpReader(Kind kind) : kind_(kind) {}

  // Adds bytes; the getters below then tell how far the message is.
  void feed(std::string_view bytes);
  // The sender's FIN: ends a body without a length; else a fault if something is unfinished.
  void feed_end();
  // Leaves a whole message behind; what came after it is read as the next one.
  void next();

  bool has_head() const { return state_ != State::kHead; }
  bool is_whole() const { return state_ == State::kWhole; }
  // Bytes of a message that is not whole.
  bool is_within() const;
  bool has_leftover() const { return at_ < input_.size(); }
  // Empty: none.
  const std::string& fault() const { return fault_; }

  const std::string& start_line() const { return start_line_; }
  // The value of a field by its lower-case name; empty if absent. Names must not repeat.
  std::string_view field(std::string_view name) const;
  int status() const { return status_; }  // of a response
  const std::string& body() const { return body_; }
  // Bytes of all messages up to the end of what was read of this one.
  std::uint64_t offset() const { return consumed_ + at_; }
  // Where this message began.
  std::uint64_t begin_offset() const { return begin_; }
  // The framing promises another message on the connection.
  bool keeps_alive() const;

 private:
  enum class State : std::uint8_t {
    kHead,
    kLength,
    kChunkSize,
    kChunkData,
    kChunkEnd,
    kTrailer,
    kUntilClose,
    kWhole,
    kFault,
  };
  void advance();
  bool read_head();
  bool read_line(std::string_view& line);
  bool parse_fields(std::string_view lines);
  void choose_framing();
  void fail(std::string why);
  void take(std::size_t count);

  Kind kind_;
  State state_ = State::kHead;
  std::string input_;
  std::size_t at_ = 0;          // of input_
  std::uint64_t consumed_ = 0;  // bytes of the connection before input_
  std::uint64_t begin_ = 0;
  std::string start_line_;
  std::vector<std::pair<std::string, std::string>> fields_;
  int status_ = 0;
  std::string body_;
  std::uint64_t left_ = 0;
  std::string fault_;
};

}  // namespace leat::sim
