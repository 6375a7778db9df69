// SPDX-License-Identifier: Apache-2.0
// `leat top` at a terminal: a frame a second on the alternate screen, fitted to the window, until
// q, Ctrl-C or SIGTERM; the terminal is left as it was. Where standard output is no terminal, or
// with
// --once, one frame is printed.
#pragma once

#include "control/surroundings.h"
#include "control/top_command.h"

namespace leat::app {

// The exit status.
int top(control::TopCommand command, const control::Surroundings& surroundings);

}  // namespace leat::app
