// SPDX-License-Identifier: Apache-2.0
// `leat doctor`: what kernel, limits and CPU offer, what Leat makes of each, and what to change
// where that is little. Pure: the facts come from machine.h and from io's preflight.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "control/machine.h"

namespace leat::control {

// One finding about the ring, in the preflight's words.
struct RingFinding {
  std::string feature;  // "multishot receive"
  bool offered = false;
  bool needed = false;  // without it Leat does not start
  std::string used;     // what Leat does: with it, or instead of it
};

struct DoctorReport {
  std::string text;
  bool can_serve = true;  // false: `leat serve` would end with status 78
};

DoctorReport examine(const MachineFacts& facts, std::span<const RingFinding> ring);

}  // namespace leat::control
