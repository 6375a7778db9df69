// SPDX-License-Identifier: Apache-2.0
// Where `leat top` gets its frames: a running Leat is asked on its admin socket, or on its admin
// listener by HTTP, one exchange a frame. On the socket who may open it is the operator; elsewhere
// the key, if there is one, comes from the environment (kTopKeyVariable) and never from the
// arguments, which others can read.
#pragma once

#include <string>

#include "base/result.h"
#include "control/json_tree.h"
#include "control/surroundings.h"

namespace leat::control {

inline constexpr const char* kTopKeyVariable = "LEAT_OPERATOR_KEY";

struct TopCommand {
  std::string config_file;  // that names the other two; empty: one of them is given
  std::string socket;
  std::string url;  // "http://127.0.0.1:8081"
  bool once = false;
};

struct TopFrame {
  std::string fault;  // why there is none; empty: there is
  int status = 0;     // the command's exit status, with a fault
  JsonValue frame;
};

// What is not given is looked up in the configuration file.
TopFrame resolve(TopCommand& command, const Surroundings& surroundings);
// REQUIRES: resolved. Blocks for as long as the answer takes, some seconds at most.
TopFrame ask_frame(const TopCommand& command, const Surroundings& surroundings);

}  // namespace leat::control
