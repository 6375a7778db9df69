// SPDX-License-Identifier: Apache-2.0
// How commands ask a running Leat: on its admin socket, or on its admin listener by HTTP, one
// exchange on a connection of its own. On the socket who may open it is the operator; elsewhere the
// key, if there is one, comes from the environment (kOperatorKeyVariable) and never from the
// arguments, which others can read.
#pragma once

#include <string>
#include <string_view>

#include "base/instant.h"
#include "control/surroundings.h"

namespace leat::control {

inline constexpr const char* kOperatorKeyVariable = "LEAT_OPERATOR_KEY";

// Which Leat: one of the three is given.
struct AdminPlace {
  std::string config_file;  // that names the other two
  std::string socket;
  std::string url;  // "http://127.0.0.1:8081"
};

// Why there is no answer; `why` empty: there is.
struct AdminFault {
  std::string why;
  int status = 0;  // the command's exit status
};

struct AdminAnswer {
  AdminFault fault;
  int status = 0;  // of HTTP
  std::string body;
};

// What is not given is looked up in the configuration file. Its faults do not matter, unless they
// leave open where its Leat listens: that is then told with all of them.
AdminFault resolve(AdminPlace& place, const Surroundings& surroundings);

// REQUIRES: resolved. An empty body. Blocks for as long as the answer takes; `wait_max` bounds each
// wait. A refused key (401) is a fault, each other status an answer.
AdminAnswer ask_admin(const AdminPlace& place, std::string_view method, std::string_view target,
                      Duration wait_max, const Surroundings& surroundings);

// "Leat at PLACE: WHY", a fault's words.
std::string told_of(const AdminPlace& place, std::string_view why);

}  // namespace leat::control
