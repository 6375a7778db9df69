// SPDX-License-Identifier: Apache-2.0
// Checker: judges one answer, streamed or whole, word by word against what the request must yield
// (words.h). Says what is wrong first and once; keeps no bytes but an unfinished line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "load/options.h"

namespace leat::tools {

// IF YOU ADD A VALUE: update fault_name().
enum class Fault {
  kNone,
  kConnect,
  kTls,
  kTimeout,
  kClosedEarly,  // the connection ended within an answer
  kBrokenHttp,   // framing, or bytes after the end
  kStatus,       // not 200
  kErrorEvent,   // an error inside a 200
  kBrokenEvent,  // not the shape of a chunk
  kWrongWord,    // content that is not this request's
  kWrongCount,   // words missing
  kWrongFinish,  // none, two, or not "length"
  kNoDone,       // no [DONE], or something after it
  kWrongUsage,   // missing, unasked for, or not the count
  kFaults,
};

const char* fault_name(Fault fault);

class Checker {
 public:
  struct Expected {
    std::uint64_t seed = 0;
    std::uint64_t tokens = 0;
    bool usage_asked = false;
    UsageRule usage_rule = UsageRule::kIfAsked;
  };

  void begin(const Expected& expected, bool streamed);

  // Takes a piece of the body. Returns how many words were completed by it.
  std::uint64_t take(std::string_view payload);

  // The body is complete: judges what must not be missing.
  void end();

  Fault fault() const { return fault_; }
  // Words that came in their place.
  std::uint64_t words() const { return words_; }

 private:
  void take_line(std::string_view line);
  bool take_expected_chunk(std::string_view data);
  void take_chunk(std::string_view data);
  void take_choice(std::string_view choice, std::string_view data);
  void take_content(std::string_view raw, std::string_view data);
  void take_usage(std::string_view usage);
  void judge_whole();
  void judge_usage();
  void found(Fault fault);

  Expected expected_;
  bool streamed_ = false;
  Fault fault_ = Fault::kNone;
  std::string partial_;  // an unfinished line, or a whole answer's body so far
  std::uint64_t words_ = 0;
  std::size_t word_at_ = 0;  // where the last chunk had its word: the next one has it there too
  int finishes_ = 0;
  int usages_ = 0;
  bool done_ = false;
};

}  // namespace leat::tools
