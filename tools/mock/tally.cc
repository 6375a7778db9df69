// SPDX-License-Identifier: Apache-2.0
#include "mock/tally.h"

#include <fmt/format.h>

namespace leat::tools {

std::string Tally::to_json() const {
  return fmt::format(
      R"({{"connections":{},"connections_open":{},"http2_connections":{},"requests":{},)"
      R"("answering":{},"answered":{},"tokens":{},"errors_sent":{},"cuts":{},"corrupted":{},"clients_gone":{},)"
      R"("broken_requests":{}}})",
      connections.load(), connections_open.load(), http2_connections.load(), requests.load(),
      answering.load(), answered.load(), tokens.load(), errors_sent.load(), cuts.load(),
      corrupted.load(), clients_gone.load(), broken_requests.load());
}

void Tally::log_gone(std::uint64_t seed, Instant when) const {
  if (gone_log == nullptr) return;
  fmt::print(gone_log, "{:016x} {}\n", seed, when.ns);
  std::fflush(gone_log);
}

}  // namespace leat::tools
