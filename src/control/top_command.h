// SPDX-License-Identifier: Apache-2.0
// Where `leat top` gets its frames: a running Leat is asked (admin_client.h), one exchange a frame.
#pragma once

#include <string>

#include "control/admin_client.h"
#include "control/json_tree.h"
#include "control/surroundings.h"

namespace leat::control {

struct TopCommand {
  AdminPlace place;
  bool once = false;
};

struct TopFrame {
  AdminFault fault;
  JsonValue frame;
};

// REQUIRES: the place is resolved. Blocks for as long as the answer takes, some seconds at most.
TopFrame ask_frame(const TopCommand& command, const Surroundings& surroundings);

}  // namespace leat::control
