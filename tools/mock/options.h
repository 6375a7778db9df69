// SPDX-License-Identifier: Apache-2.0
// What leat-mock is to be: filled from the command line by main.cc, read-only afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/instant.h"

namespace leat::tools {

struct MockOptions {
  std::vector<std::string> plain;  // HOST:PORT, port 0: any
  std::vector<std::string> tls;
  std::string certificate_file;
  std::string key_file;
  std::uint32_t http2_streams = 128;  // of a connection at a time
  std::vector<std::string> models = {"gpt-4o-mini"};

  std::uint64_t tokens = 64;  // of an answer whose request sets no limit
  double tokens_per_s = 0;    // of each stream; 0: at once
  Duration first_token_delay{};
  std::uint64_t events_per_write = 1;
  std::size_t event_bytes = 250;  // an event is padded to this
  bool nagle = false;             // no small segment is sent while one is not acknowledged

  // Shares of the requests, in [0, 1].
  double error_rate = 0;
  std::vector<int> error_statuses = {429, 500, 503};
  double stream_error_rate = 0;  // an error event in a 200
  double cut_rate = 0;           // the connection dropped before the end of the answer
  double corrupt_rate = 0;       // one wrong word in the answer

  std::uint64_t seed = 1;  // of the dice for the shares
  int threads = 1;
  std::string gone_log;  // a line for each client that left during an answer
};

}  // namespace leat::tools
