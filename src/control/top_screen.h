// SPDX-License-Identifier: Apache-2.0
// What `leat top` shows: a dashboard's frame (dashboard_frame.h) as lines of a terminal, fitted
// into its size. Pure. What comes from names is shown without control characters, so that nobody's
// model or key writes to the terminal what it likes.
#pragma once

#include <cstddef>
#include <string>

#include "control/json_tree.h"

namespace leat::control {

struct TopLook {
  std::size_t columns = 100;  // of the terminal; at least 20 are used
  std::size_t rows = 0;       // 0: all there is to show
  bool with_colour = false;
};

// Lines, each ended by a newline, none longer than `columns`.
std::string top_screen(const JsonValue& frame, const TopLook& look);

}  // namespace leat::control
