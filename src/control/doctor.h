// SPDX-License-Identifier: Apache-2.0
// `leat doctor`: what kernel, limits and CPU offer, what Leat makes of each, and what to change
// where that is little. Pure: the facts come from machine.h and from io's preflight.
#pragma once

#include <string>

#include "base/result.h"
#include "control/machine.h"
#include "control/sandbox.h"
#include "io/preflight.h"

namespace leat::control {

struct DoctorReport {
  std::string text;
  bool can_serve = true;  // false: `leat serve` would end with status 78
};

// `ring`: what io::run_preflight() gave.
// `sandbox`: what offered_sandbox() gave.
DoctorReport examine(const MachineFacts& facts, const Result<io::Capabilities>& ring,
                     const SandboxLayers& sandbox);

}  // namespace leat::control
