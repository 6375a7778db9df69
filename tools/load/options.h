// SPDX-License-Identifier: Apache-2.0
// What leat-load is to do: filled from the command line by main.cc, read-only afterwards.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.h"

namespace leat::tools {

// When an answer must end with a usage chunk.
enum class UsageRule { kIfAsked, kAlways, kAny };

struct LoadOptions {
  std::string url = "http://127.0.0.1:8080/v1";  // up to "/chat/completions"
  std::string ca_file;                           // for https
  std::string connect_to;                        // HOST:PORT to connect to instead of the URL's
  std::string model = "gpt-4o-mini";
  int models = 0;  // so many, MODEL-1 and following, are asked for in turn; 0: MODEL

  std::size_t connections = 64;
  double rate = 0;    // requests per second in open loop; 0: closed loop
  bool idle = false;  // one request on each connection, then nothing
  bool keep_alive = true;
  int sources = 1;  // client addresses 127.0.0.1 and following
  std::vector<std::string> keys;

  bool stream = false;
  bool include_usage = false;
  UsageRule usage_rule = UsageRule::kIfAsked;
  std::size_t prompt_bytes = 1024;
  std::uint64_t tokens = 64;
  double abort_rate = 0;
  std::string abort_log;

  Duration ramp{};  // over which the connections begin, evenly
  Duration warm_up = seconds(1);
  Duration window = seconds(5);
  Duration drain = seconds(5);     // for what is under way at the window's end (open loop)
  Duration timeout = seconds(60);  // of one request
  std::uint64_t seed = 0;          // 0: from the clock

  std::vector<pid_t> pids;  // whose CPU time and memory to read
  std::vector<int> cores;   // whose load to read
  bool json = false;
};

}  // namespace leat::tools
