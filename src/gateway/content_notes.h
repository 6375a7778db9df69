// SPDX-License-Identifier: Apache-2.0
// ContentNotes: what an exchange keeps of its content for the content log, until it has ended.
// There is none unless the operator turned that on for the request's key: nobody else pays for it.
// Belongs to its Exchange (exchange_content.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dialect/answer_text.h"

namespace leat::gateway {

struct ContentNotes {
  std::string request;                       // JSON, as ContentRecord has it; empty: not logged
  std::string answer;                        // of one that is no stream
  std::optional<dialect::AnswerText> heard;  // of a stream, whose content is logged
  bool is_request_cut = false;
  bool is_answer_cut = false;
  bool is_cancelled = false;
  std::string_view reason;          // why the request was refused; static
  std::uint16_t status = 0;         // that the client was told
  std::uint64_t bytes_charged = 0;  // to the key, for all of this
};

}  // namespace leat::gateway
