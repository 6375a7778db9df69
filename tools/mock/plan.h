// SPDX-License-Identifier: Apache-2.0
// Plan: how one request is answered, and how far that is, whatever protocol brought it: what is
// said, when the next of it is due, and the fault that the dice want.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/instant.h"
#include "mock/answer.h"
#include "mock/context.h"

namespace leat::tools {

struct Plan {
  int status = 200;
  std::string body;  // without an answer: all that there is to say, at once

  std::optional<Answer> answer;  // told from `due` on
  bool streamed = false;
  std::uint64_t seed = 0;
  Instant due{};
  std::uint64_t next_token = 0;
  std::uint64_t stop_at_token = UINT64_MAX;  // cut, or an error event, before this one
  bool stop_by_error_event = false;

  bool is_stopped() const { return streamed && next_token == stop_at_token; }
  bool is_cut() const { return is_stopped() && !stop_by_error_event; }
  // No token is left to tell.
  bool is_told() const { return is_stopped() || next_token == answer->tokens(); }
};

// Reads the request and throws the dice; counts. An answer is counted as under way from here on.
Plan plan_answer(MockContext& context, std::string_view method, std::string_view target,
                 std::string_view body);

// Appends the next events_per_write token events and sets when those after them are due.
void append_group(MockContext& context, Plan& plan, std::string& out);
// Appends what stands after the last token of a stream that is not cut.
void append_last(MockContext& context, const Plan& plan, std::string& out);
// Ends the answer: it is told, or cut.
void finish(MockContext& context, Plan& plan);
// Ends an answer that nobody waits for any more.
void abandon(MockContext& context, Plan& plan);
// The client left: counts and logs it, if an answer was under way.
void note_gone(MockContext& context, const Plan& plan);

}  // namespace leat::tools
