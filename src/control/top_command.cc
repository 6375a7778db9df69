// SPDX-License-Identifier: Apache-2.0
#include "control/top_command.h"

#include <fmt/format.h>

#include <utility>

#include "control/command_line.h"

namespace leat::control {

TopFrame ask_frame(const TopCommand& command, const Surroundings& surroundings) {
  constexpr Duration kWaitMax = seconds(5);
  AdminAnswer answer = ask_admin(command.place, "GET", "/dashboard/frame", kWaitMax, surroundings);
  if (!answer.fault.why.empty()) return {.fault = std::move(answer.fault), .frame = {}};
  const auto failed = [&](std::string_view why) {
    return TopFrame{.fault = {told_of(command.place, why), kExitNoInput}, .frame = {}};
  };
  if (answer.status != 200) return failed(fmt::format("it answers {}", answer.status));
  std::string why;
  auto frame = parse_json(answer.body, why);
  if (!frame) return failed(why);
  return {.fault = {}, .frame = std::move(*frame)};
}

}  // namespace leat::control
