// SPDX-License-Identifier: Apache-2.0
// ReloadResult: what became of a request to load the configuration anew, for whoever asked: the
// admin listener as JSON, a log as lines. A value; holds no secret.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/config_changes.h"

namespace leat::control {

struct ReloadResult {
  // 200: it is loaded, or would be; 409: another one runs; 422: it is refused, and why; 503: it
  // could not be done now.
  int status = 200;
  std::uint32_t generation = 0;  // that is served by now
  bool is_applied = false;
  std::vector<ConfigChange> changes;  // with 200
  std::string message;                // else
  std::vector<std::string> faults;    // of its text: FILE:LINE: what
  std::vector<std::string> fixed;     // settings that cannot change while Leat runs

  bool is_refused() const { return status != 200; }
};

// {"data":{"generation","applied","changes"}}, or an error with `faults` and `fixed` as metadata.
std::string result_json(const ReloadResult& outcome);
// For a log: one line, and one more for each fault.
std::string result_text(const ReloadResult& outcome);

}  // namespace leat::control
